"""Explanations for files that a program did not find.

The evidence is a line of its log, and where the file is: left out of the snapshot by an
ignore file, in the data volume, or in a folder above the project.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import NamedTuple

from riseml.diagnosis import log_errors
from riseml.diagnosis.evidence import LOG_LINES, Cause, Evidence, Subject, cause

COPIED = "riseml cp"
"""What excludes a file that `riseml cp` wrote into the project."""

# The dynamic linker misses libraries, and Python modules, which are not files of a project.
_COMPLAINT = re.compile(
    r"^(?!.*(?:shared object file|No module named)).*"
    r"(?:no such file|not found|notfound|does not exist|doesn't exist|couldn't find"
    r"|(?:can't|cannot|could not|unable to|failed to) (?:open|find|read|load|cd|access))",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"no such file|not found|(?:does not|doesn't) exist", re.IGNORECASE
)
_QUOTES = r"'\"`\u2018\u2019\u201c\u201d"
_QUOTED = re.compile(rf"[{_QUOTES}]([^{_QUOTES}]+)[{_QUOTES}]")
# `cat: my data/a.csv: No such file or directory`
_BEFORE = re.compile(r"(?:^|: )([^:]+): (?:.*: )?no such file", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s:;,()\[\]{}<>'\"`=]+")
# Where the checkout of a job is, with mounts and without them.
_CODE = re.compile(r"^(?:/code/|/.*/volumes/code/)")
# Where jobs see the data volume.
_DATA = "/data/"


class Match(NamedTuple):
    """A path that is missing, and the entry of an ignore file that explains it."""

    path: str
    entry: str
    source: str


def missing_paths(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the paths that lines of a log complain about, the latest first.

    Those in the checkout are relative to it. Some may be other words of the lines.
    """
    complaints = log_errors.matching(lines, _COMPLAINT)
    texts = chain.from_iterable(map(_candidates, complaints))
    return tuple(dict.fromkeys(filter(None, map(_relative, texts))))


def excluded_match(
    excluded: Mapping[str, Iterable[str]], paths: Iterable[str]
) -> Match | None:
    """Return the first path that an ignore file left out, or None."""
    for path in paths:
        for source, entries in excluded.items():
            for entry in entries:
                if _covers(entry, path):
                    return Match(path, entry, source)
    return None


def missing_file(evidence: Evidence, subject: Subject) -> Cause | None:
    """Explain a file that was not found, None if nothing is known about such a file."""
    lines = evidence.log(subject.job)
    paths = missing_paths(lines)
    match = excluded_match(evidence.run.excluded, paths)
    quoted = lines[-LOG_LINES:]
    if match is not None:
        return _excluded(evidence, subject, match, quoted)
    facts = evidence.surroundings
    new = next(filter(facts.new_files.__contains__, paths), "")
    if new:
        return _new(subject, new, quoted)
    in_data = next(filter(facts.data_files.__contains__, paths), "")
    if in_data:
        return _in_data(subject, in_data, facts.data_files[in_data], quoted)
    path = next(filter(facts.outside_files.__contains__, paths), "")
    if path:
        return _outside(evidence, subject, path, facts.outside_files[path], quoted)
    # A file that is there may be one that cannot be read.
    absent = "\n".join(filter(_ABSENT.search, lines))
    for path in paths:
        if path.startswith(_DATA) and path in absent:
            return _absent_data(subject, path, quoted)
    return None


def bring_advice(entry: str, source: str) -> str:
    """Return how an excluded path becomes part of the code."""
    if source == ".risemlignore":
        return "Or bring it with the code: remove the line that names it from .risemlignore."
    return (
        "Or bring it with the code: `riseml train --no-gitignore`,"
        f" or the line `!/{entry}` in .risemlignore."
    )


def _excluded(
    evidence: Evidence, subject: Subject, match: Match, lines: Sequence[str]
) -> Cause:
    if match.source == COPIED:
        explanation = f"{match.path} is not part of the code: `riseml cp` wrote it"
    else:
        explanation = f"{match.path} was left out by {match.source}"
    return cause(
        subject,
        explanation,
        lines,
        _data_advice(match.path, match.entry, evidence.run.project),
        bring_advice(match.entry, match.source),
        kind="EXCLUDED",
    )


def _new(subject: Subject, path: str, lines: Sequence[str]) -> Cause:
    return cause(
        subject,
        f"{path} was not in the project's folder when the run started",
        lines,
        "It is there now: train again.",
        kind="FILE",
    )


def _in_data(
    subject: Subject, path: str, data_path: str, lines: Sequence[str]
) -> Cause:
    return cause(
        subject,
        f"{path} is not part of the code, but the data folder has {data_path}",
        lines,
        f"Read $DATA_DIR/{data_path}, which is /data/{data_path} in jobs.",
        kind="FILE",
    )


def _absent_data(subject: Subject, path: str, lines: Sequence[str]) -> Cause:
    folder = posixpath.join(posixpath.dirname(path.removeprefix(_DATA)), "")
    return cause(
        subject,
        f"{path} was not in the data folder",
        lines,
        f"`riseml cp FILE data://{folder}` copies a file there; `riseml ls data://` shows what is there.",
        kind="FILE",
    )


def _outside(
    evidence: Evidence, subject: Subject, path: str, outside: str, lines: Sequence[str]
) -> Cause:
    return cause(
        subject,
        f"{path} is not part of the code: {outside} is outside the folder of riseml.yml",
        lines,
        "The code of a run is the folder of riseml.yml: move riseml.yml to the folder above, or the file below it.",
        _data_advice(outside, outside, evidence.run.project).replace("Put", "Or put"),
        kind="FILE",
    )


def _data_advice(path: str, entry: str, project: str) -> str:
    """Return how a job reads a file from the data volume."""
    if entry.endswith("/") and "*" not in entry:
        copy = f"riseml cp {entry[:-1]} data://{project}/"
        name = path[len(entry) :]
    else:
        copy = f"riseml cp {path} data://{project}/"
        name = posixpath.basename(path)
    target = posixpath.join("$DATA_DIR", project, name).rstrip("/")
    return f"Put it into the data folder (`{copy}`), and read {target}."


def _candidates(line: str) -> Iterator[str]:
    quoted = [match.strip() for match in _QUOTED.findall(line)]
    yield from quoted
    preceding = _BEFORE.search(line)
    if preceding:
        yield preceding[1]
    # Words are less certain than what a message quotes.
    if not quoted:
        yield from filter(None, _SEPARATORS.split(line))


def _relative(text: str) -> str:
    """Return a path as the project has it; empty if it cannot be a path."""
    text = text.strip().rstrip(".,!?")
    if not text or "://" in text or "\n" in text:
        return ""
    path = posixpath.normpath(_CODE.sub("", text))
    return "" if path in {".", "..", "/"} else path


def _covers(entry: str, path: str) -> bool:
    """Return whether an excluded path or pattern stands for a path."""
    # `cd src` before the command makes a path begin with `..`.
    path = re.sub(r"^(?:\.\./)+", "", path)
    if entry.endswith("/"):
        return fnmatchcase(f"{path}/", f"{entry}*")
    return fnmatchcase(path, entry) if "*" in entry else path == entry
