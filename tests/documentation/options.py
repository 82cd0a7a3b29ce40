"""Commands and options of `riseml` that a page names, compared with those that exist."""

import re
from collections.abc import Iterator
from functools import cache

from riseml import cli
from riseml.cli import app
from tests.documentation import pages
from tests.documentation.pages import Code

_LANGUAGES = {"console", "sh", "bash", "shell", ""}
_OPTIONS_OF_ALL = {
    "--help",
    "-h",
    "--no-color",
    "--plain",
    "--debug",
    "--version",
    "-V",
}
# At the beginning of a command, not as an argument of another one.
_CALL = re.compile(
    r"(?:^\s*|\$ |[;&|(] *|\b[A-Z_]+=\S* )riseml (?P<words>-?-?[a-z][^`|;&#\n]*)"
)
_PROMPT = re.compile(r"\s*\w*\$ ")
_SPAN = re.compile(r"(?<!`)`(?P<code>[^`]+)`(?!`)")
# `exec ID -- COMMAND` has options of another program.
_END_OF_OPTIONS = " -- "
_VALUES = re.compile(r"(?P<quote>['\"]).*?(?P=quote)")


def mistakes(text: str) -> list[str]:
    """Return a line for each command or option of a page that RiseML does not have."""
    found = []
    for line, call in calls(text):
        words = _VALUES.sub("VALUE", call.partition(_END_OF_OPTIONS)[0]).split()
        if words[0].startswith("-"):
            unknown = [word for word in words[:1] if word not in _OPTIONS_OF_ALL]
        elif words[0] not in cli.COMMANDS:
            unknown = words[:1]
        else:
            unknown = _unknown_options(words[0], words[1:])
        for word in unknown:
            found.append(f"line {line}: `riseml {call.strip()}`: there is no {word}")
    return found


def calls(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of each call of `riseml` in code of a page."""
    inside: set[int] = set()
    for code in pages.codes(text):
        if isinstance(code, Code):
            inside.update(range(code.line, code.line + len(code.lines) + 2))
            for number, line in _commands(code):
                yield from _calls(number, line)
    for number, line in enumerate(text.splitlines(), 1):
        if number in inside:
            continue
        for span in _SPAN.finditer(line):
            yield from _calls(number, span["code"])
        if line.startswith("    "):
            yield from _calls(number, line)


def _calls(number: int, source: str) -> Iterator[tuple[int, str]]:
    for match in _CALL.finditer(source):
        yield number, match["words"]


def _commands(code: Code) -> Iterator[tuple[int, str]]:
    """Yield the lines of a block that a shell would run, with their numbers."""
    for number, line in enumerate(code.lines, code.line + 1):
        is_prompt = _PROMPT.match(line)
        if code.language in _LANGUAGES and (code.language != "console" or is_prompt):
            yield number, line


def _unknown_options(command: str, words: list[str]) -> list[str]:
    known = options(command) | _OPTIONS_OF_ALL
    unknown = []
    for word in words:
        option = word.partition("=")[0].rstrip(".,:)…")
        is_option = re.fullmatch(r"--[a-z][\w-]*|-[a-zA-Z]", option)
        if is_option and option not in known:
            unknown.append(option)
    return unknown


@cache
def options(command: str) -> frozenset[str]:
    """Return the options of a command, and of all commands of a group."""
    module = cli.load(command)
    functions = getattr(module, "COMMANDS", None) or {command: module.command}
    found: set[str] = set()
    for name, function in functions.items():
        for parameter in app.build(name, function).params:
            found.update((*parameter.opts, *parameter.secondary_opts))
    return frozenset(found)
