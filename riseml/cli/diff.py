"""Command `riseml diff`."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any, TypedDict, cast

from riseml import phrases
from riseml.cli import formats, options, output, terminal
from riseml.cli.documents import Document
from riseml.cli.parameters import Argument, Option
from riseml.cli.table import Column, clean, render
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.client.diff import NOW, Difference, ExperimentPair, Pair
from riseml.project.revision_diff import CodeDifference, FileChange

_OPTIONAL_ID = Annotated[
    str | None,
    Argument(
        metavar="ID",
        show_default=False,
        help="Another one. Default: the project's folder as it is now.",
    ),
]
_FIRST_ID = Annotated[
    str, Argument(metavar="ID", show_default=False, help="A run or experiment.")
]
_Stat = Annotated[
    bool, Option("--stat", help="Names of changed files instead of their lines.")
]
_ID_LENGTH = 12
_LONG_ID = re.compile(r"\b([0-9a-f]{12})[0-9a-f]+\b")
# A set may have thousands of experiments.
_MAX_PAIRS = 20
_STYLES = {"+++": "bold", "---": "bold", "+": "green", "-": "red", "@": "cyan"}
_TITLES = {
    "git": "Git",
    "image": "Image",
    "base_image": "Base image",
    "image_key": "Image key",
    "framework": "Framework",
}


class FileChangeRecord(TypedDict):
    """A file that differs."""

    path: str
    old_path: str
    """The former path of a file that was renamed; empty for others."""
    added: int | None
    """Number of lines; null for a binary file."""
    deleted: int | None


class CodeRecord(TypedDict):
    """The difference of two revisions."""

    old: str
    new: str
    """The revisions."""
    files: list[FileChangeRecord]
    patch: str
    """The changes as `git diff` writes them."""


class PairRecord(TypedDict):
    """Two experiments with the same parameters, or the only ones."""

    old: str
    new: str
    parameters: dict[str, str]
    """Those of both; none if they differ."""
    results: dict[str, list[object]]
    """Both values of each result that differs; null where one has none."""


class DiffRecord(TypedDict):
    """What differs between two runs or experiments; pairs are the old and the new value."""

    old: str
    new: str
    """The ids; `now` is the project's folder."""
    code: CodeRecord | None
    """Null if the code of one of them is not known, or both are of the same run."""
    configuration: str
    """A unified diff of the texts of riseml.yml; empty if they are equal."""
    parameters: dict[str, list[str | None]]
    """Parameters that differ; several values are separated by commas."""
    properties: dict[str, list[str | None]]
    """Which of git, image, base_image, image_key and framework differ."""
    packages: dict[str, list[str | None]] | None
    """Versions of Python packages that differ; null if they are not known."""
    experiments: list[PairRecord]
    only_old: int
    """How many experiments have no counterpart in the second run."""
    only_new: int
    """How many have none in the first run."""


DOCUMENTS = {"diff": Document(DiffRecord)}


def command(
    old: _FIRST_ID,
    new: _OPTIONAL_ID = None,
    stat: _Stat = False,
    config_file: options.ConfigFile = "",
    output_format: options.OutputFormat = "table",
) -> None:
    """Compare the code, configuration and results of two runs.

    With one ID, it is compared with the project's folder as it is now. Of two experiments
    of one set, only parameters and results are compared. Experiments of two sets belong
    together if they have the same parameters.

    Examples:
      riseml diff 14 15
      riseml diff 14.1 14.3
      riseml diff 14 --stat     what has changed since run 14
    """
    difference = Client().diff(old, new, path=config_file or None)
    if not formats.is_for_people(output_format):
        formats.write_data(_data(difference), output_format)
        return
    screen = terminal.stdout()
    output.lines(_lines(difference, screen, stat=stat))
    output.notes(difference.notes)


def _lines(difference: Difference, screen: Terminal, *, stat: bool) -> Iterator[str]:
    sections: list[Iterable[str]] = []
    if difference.is_same_run:
        sections.append(["Code, configuration and image: the same run"])
    else:
        sections.append(_code(difference.code, screen, stat=stat))
        sections.append(_configuration(difference, screen))
        sections.append(_properties(difference, screen))
        packages = difference.packages or {}
        sections.append(_table("PACKAGES", difference, packages, screen))
    parameters = difference.parameters
    sections.append(_table("PARAMETERS", difference, parameters, screen))
    sections.append(_results(difference, screen))
    separator: list[str] = []
    for section in map(list, sections):
        if section:
            yield from separator
            yield from section
            separator = [""]


def _code(
    code: CodeDifference | None, screen: Terminal, *, stat: bool
) -> Iterator[str]:
    if code is None:
        return
    if code.old == code.new:
        yield f"Code: the same ({code.old[:_ID_LENGTH]})"
        return
    files = phrases.plural(len(code.files), "file")
    revisions = f"{code.old[:_ID_LENGTH]} {_to(screen)} {code.new[:_ID_LENGTH]}"
    yield f"Code: {revisions}, {files} changed"
    if stat:
        columns = [Column(""), Column("", right=True), Column("", right=True)]
        rows = list(map(_file_row, code.files))
        yield from render(columns, rows, screen, headers=False)
    else:
        yield from _painted(code.patch, screen)


def _file_row(change: FileChange) -> list[str]:
    name = f" {change.path}"
    if change.old_path:
        name = f" {change.old_path} => {change.path}"
    if change.added is None:
        return [name, "binary", ""]
    return [name, f"+{change.added}", f"-{change.deleted}"]


def _painted(patch: str, screen: Terminal) -> Iterator[str]:
    """Yield the lines of a patch; control characters of the code must not reach a terminal."""
    for line in patch.split("\n")[:-1]:
        style = _STYLES.get(line[:3]) or _STYLES.get(line[:1], "")
        printable = clean(line.expandtabs()) if screen.interactive else line
        yield screen.paint(printable, style)


def _configuration(difference: Difference, screen: Terminal) -> Iterator[str]:
    if difference.configuration:
        yield "Configuration:"
        yield from _painted(difference.configuration, screen)
    else:
        yield "Configuration: the same"


def _properties(difference: Difference, screen: Terminal) -> Iterator[str]:
    for name, (old, new) in difference.properties.items():
        yield f"{_TITLES[name]}: {_short(old)} {_to(screen)} {_short(new)}"


def _short(value: str | None) -> str:
    return clean(_LONG_ID.sub(r"\1", value or "none"))


def _table(
    title: str, difference: Difference, pairs: Mapping[str, Pair], screen: Terminal
) -> list[str]:
    if not pairs:
        return []
    columns = [Column(title, 12), Column(difference.old), Column(difference.new)]
    rows = [[name, _value(old), _value(new)] for name, (old, new) in pairs.items()]
    return render(columns, rows, screen)


def _results(difference: Difference, screen: Terminal) -> Iterator[str]:
    rows: list[list[str]] = []
    differing = list(filter(attrgetter("results"), difference.pairs))
    for pair in differing[:_MAX_PAIRS]:
        rows += _result_rows(pair)
    if rows:
        columns = [Column("RESULTS", 12), Column("OLD"), Column("NEW")]
        columns += [Column("OLD VALUE", right=True), Column("NEW VALUE", right=True)]
        columns += [Column("DIFFERENCE", right=True), Column("PARAMS", shortest=8)]
        yield from render(columns, rows, screen)
    elif difference.pairs and difference.new != NOW:
        yield "Results: the same"
    hidden = len(differing) - _MAX_PAIRS
    if hidden > 0:
        yield f"{phrases.plural(hidden, 'further experiment')} differ; -o json has all of them."
    for name, count in (
        (difference.old, difference.only_old),
        (difference.new, difference.only_new),
    ):
        if count:
            yield f"Only in {name}: {phrases.plural(count, 'experiment')}"


def _result_rows(pair: ExperimentPair) -> Iterator[list[str]]:
    parameters = phrases.pairs(pair.parameters)
    for name, values in pair.results.items():
        old, new = map(_value, values)
        yield [name, pair.old, pair.new, old, new, _change(values), parameters]
        parameters = ""


def _change(pair: Pair) -> str:
    old, new = pair
    try:
        return f"{new - old:+.5G}"
    except TypeError:
        # One of them is missing or a text.
        return ""


def _value(value: Any) -> str:
    return "-" if value is None else phrases.value(value)


def _to(screen: Terminal) -> str:
    return "→" if screen.unicode else "->"


def _data(difference: Difference) -> formats.Data:
    rows: list[Sequence[str]] = []
    for kind, pairs in _sections(difference):
        for name, (old, new) in pairs.items():
            rows.append([kind, name, phrases.exact(old), phrases.exact(new)])
    return formats.Data(
        records=_record(difference),
        names=[row[1] for row in rows],
        titles=["kind", "name", "old", "new"],
        rows=rows,
    )


def _sections(difference: Difference) -> Iterator[tuple[str, Mapping[str, Pair]]]:
    """Yield what differs as pairs of values by name, with the kind of names."""
    if difference.code:
        for change in difference.code.files:
            yield "file", {change.path: (change.deleted, change.added)}
    yield "property", difference.properties
    yield "package", difference.packages or {}
    yield "parameter", difference.parameters
    for pair in difference.pairs:
        for name, values in pair.results.items():
            yield "result", {f"{pair.new} {name}": values}


def _record(difference: Difference) -> DiffRecord:
    packages = difference.packages
    return {
        "old": difference.old,
        "new": difference.new,
        "code": _code_record(difference.code) if difference.code else None,
        "configuration": difference.configuration,
        "parameters": _lists(difference.parameters),
        "properties": _lists(difference.properties),
        "packages": None if packages is None else _lists(packages),
        "experiments": list(map(_pair_record, difference.pairs)),
        "only_old": difference.only_old,
        "only_new": difference.only_new,
    }


def _code_record(code: CodeDifference) -> CodeRecord:
    files = [cast("FileChangeRecord", vars(change)) for change in code.files]
    return {"old": code.old, "new": code.new, "files": files, "patch": code.patch}


def _pair_record(pair: ExperimentPair) -> PairRecord:
    return {
        "old": pair.old,
        "new": pair.new,
        "parameters": dict(pair.parameters),
        "results": _lists(pair.results),
    }


def _lists(pairs: Mapping[str, Pair]) -> dict[str, list[Any]]:
    return {name: list(pair) for name, pair in pairs.items()}
