"""Pages of the documentation as steps: files to write, commands to run, and their output.

A page is Markdown. Its console blocks are the steps that a reader takes:

    <!-- file: train.py -->       the next block is the content of this file
    <!-- setup: COMMAND -->       a command that runs, and that readers do not see
    <!-- run: SUITE -->           the next block runs in this suite only: cluster, containers, frameworks, browser
    <!-- run: never, REASON -->   the next block does not run anywhere
    <!-- exit: STATUS -->         the last command of the next block has this exit status; otherwise 0.
                                  A command before `$ echo $?` may have any.
    <!-- same: loosely -->        only half of the words of the next block's outputs have to be the same

In a console block, a line that begins with `$ ` is a command, and `> ` continues a command whose line
ends with a backslash or opens a here-document. Other lines are the output of the command above. Where
several people share a page, the prompt names who types: `paul$ riseml status`. Each has a home of
their own; all begin in the folder of the page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEFAULT = "default"
NEVER = "never"
SUITES = (DEFAULT, "cluster", "containers", "frameworks", "browser", NEVER)
# They are for contributors, or have tests of their own: tests/guides, tests/cluster/test_session.py.
_OTHERS = ("docs/_build/", "docs/decisions/", "docs/contributing/")
_SESSIONS = {"docs/cluster/session.md"}
_COMMENT = re.compile(r"^<!-- (?P<key>file|setup|run|exit|same): (?P<value>.+) -->$")
_PROMPT = re.compile(r"(?P<person>[a-z]*)\$ (?P<text>.*)")
_FENCE = re.compile(r"^ *(?P<fence>```+)(?P<language>\w*)[^`]*$")


class PageError(Exception):
    """A page does not have the form that this module describes."""


@dataclass
class Command:
    """A command of a page and the output that readers see below it.

    `status` is None if a page does not depend on it. `first` and `end` are the positions of the
    output among the lines of the page.
    """

    text: str
    line: int
    person: str = ""
    output: list[str] = field(default_factory=list)
    status: int | None = 0
    loosely: bool = False
    hidden: bool = False
    first: int = 0
    end: int = 0


@dataclass
class File:
    """A file that a page shows and that its commands need."""

    name: str
    text: str
    line: int


@dataclass
class Block:
    """Steps that run in the same suite; several blocks make up a page."""

    suite: str
    reason: str
    line: int
    steps: list[Command | File] = field(default_factory=list)


@dataclass
class Code:
    """A fenced block as it is written, with the comments in front of it."""

    language: str
    lines: list[str]
    line: int
    marks: dict[str, str]


def paths() -> list[Path]:
    """Return the pages with commands or with riseml.yml files."""
    found = [ROOT / "README.md"]
    for path in sorted((ROOT / "docs").rglob("*.md")):
        if not path.relative_to(ROOT).as_posix().startswith(_OTHERS):
            found.append(path)
    return found


def has_own_test(path: Path) -> bool:
    """Return whether the blocks of a page are run by another test."""
    return path.relative_to(ROOT).as_posix() in _SESSIONS


def name(path: Path) -> str:
    """Return how tests name a page: its path in the repository, without the suffix."""
    return path.relative_to(ROOT).with_suffix("").as_posix()


def codes(text: str) -> Iterator[Code | tuple[int, str]]:
    """Yield the fenced blocks of a page in order, and the commands of `setup` with their lines.

    Raises:
        PageError: a comment stands before something else than a block, or a block does not end.
    """
    marks: dict[str, str] = {}
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        comment = _COMMENT.match(line)
        fence = _FENCE.match(line)
        if comment and comment["key"] == "setup":
            yield number, comment["value"]
        elif comment:
            marks[comment["key"]] = comment["value"]
        elif fence:
            first = number
            closing = fence["fence"]
            while number < len(lines) and lines[number].strip() != closing:
                number += 1
            if number == len(lines):
                raise PageError(f"line {first}: the block has no end")
            yield Code(fence["language"], lines[first:number], first, marks)
            number += 1
            marks = {}
        elif line.strip() and marks:
            key = next(iter(marks))
            raise PageError(f"line {number}: a block must follow `<!-- {key}: … -->`")


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page that contain steps, in order."""
    found = []
    for code in codes(text):
        if not isinstance(code, Code):
            line, setup = code
            found.append(Block(DEFAULT, "", line, [_hidden(setup, line)]))
            continue
        if "file" in code.marks:
            content = "\n".join(_outdented(code.lines)) + "\n"
            file = File(code.marks["file"], content, code.line)
            found.append(_block(code, [file]))
        elif code.language == "console":
            commands = list(_commands(code))
            for command, following in pairwise(commands):
                if following.text == "echo $?":
                    command.status = None
            found.append(_block(code, [*commands]))
    _follow_suites(found)
    return found


def _hidden(text: str, line: int) -> Command:
    prompt = _PROMPT.fullmatch(text)
    if prompt is None:
        return Command(text, line, hidden=True)
    return Command(prompt["text"], line, prompt["person"], hidden=True)


def _follow_suites(found: list[Block]) -> None:
    """Let setup commands belong to the block that follows them."""
    for block, following in zip(found[-2::-1], found[:0:-1], strict=False):
        step = block.steps[0]
        if isinstance(step, Command) and step.hidden and following.suite != NEVER:
            block.suite = following.suite


def _block(code: Code, steps: list[Command | File]) -> Block:
    suite, _, reason = code.marks.get("run", DEFAULT).partition(",")
    if suite not in SUITES:
        raise PageError(f"line {code.line}: there is no suite '{suite}'")
    if suite == NEVER and not reason.strip():
        raise PageError(f"line {code.line}: `run: never` needs a reason")
    return Block(suite, reason.strip(), code.line, steps)


def _commands(code: Code) -> Iterator[Command]:
    command = None
    for index, line in enumerate(_outdented(code.lines), code.line):
        prompt = _PROMPT.fullmatch(line)
        if prompt is not None:
            if command:
                yield command
            loosely = code.marks.get("same") == "loosely"
            command = Command(
                prompt["text"], index + 1, prompt["person"], loosely=loosely
            )
            command.first = command.end = index + 1
        elif command is None:
            raise PageError(
                f"line {index + 1}: a console block begins with `$ COMMAND`"
            )
        elif line.startswith("> ") and not command.output and _is_open(command.text):
            command.text += "\n" + line[2:]
            command.first = command.end = index + 1
        else:
            command.output.append(line)
            command.end = index + 1
    if command:
        command.status = int(code.marks.get("exit", "0"))
        yield command


def _is_open(text: str) -> bool:
    """Return whether the next line belongs to the same command."""
    if text.endswith("\\"):
        return True
    opened = re.search(r"<<-? *['\"]?(\w+)", text)
    return opened is not None and text.splitlines()[-1] != opened[1]


def _outdented(lines: list[str]) -> list[str]:
    """Return lines without the indentation of their block, such as that of a list."""
    widths = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    width = min(widths, default=0)
    return [line[width:] for line in lines]
