"""Man pages of all commands, written by Sphinx from the declarations of their parameters.

    python docs/_ext/man_pages.py FOLDER

The pages in docs/man are part of the wheel, so that `man riseml-train` works where an installer links them.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import command_reference  # noqa: E402
from command_reference import Entry  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

from riseml.cli.parameters import Argument, Option, Parameter  # noqa: E402

_INTRODUCTION = "run machine-learning experiments on this machine or as Argo Workflows"
_GLOBAL_OPTIONS = """
`-h`, `--help`
: Show help; also after each command.

`-V`, `--version`
: Show the version.

`--no-color`
: Use no colors; the variable `NO_COLOR` does the same.

`--plain`
: Print for screen readers; `RISEML_PLAIN=1` does the same.

`--debug`
: Show tracebacks; `RISEML_DEBUG` does the same.
"""


def write(folder: Path) -> None:
    """Write the page of `riseml`, and one for each command."""
    with tempfile.TemporaryDirectory() as name:
        source, result = Path(name, "source"), Path(name, "result")
        source.mkdir()
        pages = list(_write_sources(source))
        settings: dict[str, Any] = {
            "extensions": ["myst_parser"],
            "myst_enable_extensions": ["deflist"],
            "project": "RiseML",
            # A date or a version would change the pages with each build.
            "release": "",
            "today": " ",
            "root_doc": "riseml",
            "exclude_patterns": [],
            "suppress_warnings": ["toc.not_included"],
            "man_pages": pages,
            "man_show_urls": True,
        }
        Sphinx(
            source,
            None,
            result,
            Path(name, "trees"),
            "man",
            confoverrides=settings,
            status=None,
            warningiserror=True,
        ).build()
        folder.mkdir(exist_ok=True)
        for page in result.glob("*.1"):
            shutil.copyfile(page, folder / page.name)


def _write_sources(folder: Path) -> Iterator[tuple[str, str, str, str, int]]:
    """Write Markdown, and yield what Sphinx wants to know about each page."""
    entries = []
    for entry in command_reference.entries():
        # Another name of a command has no page.
        if entry.first == entry.words[0]:
            entries.append(entry)
    (folder / "riseml.md").write_text("\n".join(_overview(entries)), "utf-8")
    yield "riseml", "riseml", _INTRODUCTION, "", 1
    for entry in entries:
        (folder / f"{entry.page}.md").write_text("\n".join(_page(entry)), "utf-8")
        yield entry.page, entry.page, _summary(entry), "", 1


def _summary(entry: Entry) -> str:
    """Return the first sentence as the line NAME has it."""
    text = " ".join(entry.paragraphs[0].split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _overview(entries: list[Entry]) -> Iterator[str]:
    yield "# riseml\n\n## Synopsis\n\n`riseml` *COMMAND* [*ARGUMENTS*]\n\n## Examples\n"
    yield "```\nriseml init && riseml train -l    # write a riseml.yml, run it and watch its log"
    yield "riseml results 14 --sort loss     # compare the experiments of set 14\n```\n"
    yield "## Commands\n"
    for entry in entries:
        yield f"`{entry.name}`\n: {' '.join(entry.paragraphs[0].split())}\n"
    yield f"## Options\n{_GLOBAL_OPTIONS}"
    yield "## See also\n\nEach command has a page of its own, such as `riseml-train(1)`."


def _page(entry: Entry) -> Iterator[str]:
    summary, *others = entry.paragraphs
    yield f"# {entry.page}\n\n## Synopsis\n\n`{command_reference.usage(entry)}`\n"
    if "Example" in entry.blocks:
        yield f"## Examples\n\n```\n{entry.blocks['Example'].rstrip()}\n```\n"
    yield f"## Description\n\n{summary}\n"
    for paragraph in others:
        yield f"{paragraph}\n"
    if "Action" in entry.blocks:
        yield f"```\n{entry.blocks['Action'].rstrip()}\n```\n"
    yield from _definitions(entry, Argument, "Arguments")
    yield from _definitions(entry, Option, "Options")
    yield "## See also\n\n`riseml(1)`"


def _definitions(entry: Entry, kind: type[Parameter], title: str) -> Iterator[str]:
    parameters = {
        name: parameter
        for name, parameter in entry.parameters.items()
        if isinstance(parameter, kind)
    }
    if parameters:
        yield f"## {title}\n"
    for name, parameter in parameters.items():
        spelling = command_reference.spellings_of(entry, name, parameter)
        default = command_reference.default_text(entry, name)
        note = f" Default: {default}." if default.startswith("`") else ""
        text = command_reference.help_of(parameter)
        yield f"{spelling}\n: {text}{note}\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
