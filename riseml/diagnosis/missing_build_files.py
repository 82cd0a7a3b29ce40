"""Explanation for files that an install step did not find: steps see only the files that they name."""

import re

from riseml.diagnosis import missing_files
from riseml.diagnosis.evidence import LOG_LINES, Cause, Evidence, Subject, cause

# A file name or a path below the project's folder, but not a word of the message.
_PROJECT_PATH = re.compile(r"(?!/|\.\./|-)[^\s'\"]*(?:\.[A-Za-z]\w*|/[^\s'\"]+)")
# Without mounts, install steps run in a folder of the environment.
_BUILT = re.compile(r"^/code/|^/.*/envs/[0-9a-f]+/built/")


def missing_build_file(evidence: Evidence, subject: Subject) -> Cause | None:
    """Explain a file that an install step did not find, None if its log names none."""
    lines = evidence.log(subject.job)
    texts = [_BUILT.sub("", path) for path in missing_files.missing_paths(lines)]
    paths = list(filter(_PROJECT_PATH.fullmatch, texts))
    if not paths:
        return None
    quoted = [subject.message, *lines[-LOG_LINES:]]
    match = missing_files.excluded_match(evidence.run.excluded, paths)
    if match is not None:
        return cause(
            subject,
            f"an install step did not find {match.path}: {match.source} leaves it out",
            quoted,
            missing_files.bring_advice(match.entry, match.source),
            kind="EXCLUDED",
        )
    path = paths[0]
    return cause(
        subject,
        f"an install step did not find {path}: steps see only the files that they name",
        quoted,
        f"If the project has it, write `build_files: [{path}]` under `train` in riseml.yml.",
        kind="FILE",
    )
