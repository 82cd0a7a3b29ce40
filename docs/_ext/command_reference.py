"""Reference of all commands, from the declarations with which the command line reads them."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from riseml.cli import COMMANDS, load
from riseml.cli.parameters import Argument, Option, Parameter, declared

_Function = Callable[..., Any]
# Headings of blocks in docstrings; the lines below are examples, or a list of actions.
_BLOCK = re.compile(r"(Examples?|Actions):\n((?:  .*\n?|\n)*)")

# A note beside an example, as `--help` shows it.
_NOTE = re.compile(r"^(riseml .*?\S) {3,}([^# ].*)$", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One command: its words, and the function that declares it."""

    words: tuple[str, ...]
    function: _Function

    @property
    def name(self) -> str:
        """The command as users type it."""
        return " ".join(("riseml", *self.words))

    @property
    def page(self) -> str:
        """The name of its section and of its man page."""
        return "-".join(("riseml", *self.words))

    @property
    def first(self) -> str:
        """The word of the command that this is, which differs for another name of it."""
        module = load(self.words[0])
        return next(word for word in COMMANDS if load(word) is module)

    @cached_property
    def blocks(self) -> dict[str, str]:
        """The examples and actions of the docstring."""
        text = inspect.getdoc(self.function) or ""
        found = _BLOCK.findall(f"{text}\n")
        return {
            title.removesuffix("s"): inspect.cleandoc(body) for title, body in found
        }

    @cached_property
    def paragraphs(self) -> list[str]:
        """The sentences of the docstring."""
        text = _BLOCK.sub("", f"{inspect.getdoc(self.function) or ''}\n")
        return [part.strip() for part in text.split("\n\n") if part.strip()]

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The arguments and options, by the names of the function's parameters."""
        return declared(self.function)


def entries() -> list[Entry]:
    """Return all commands, in the order of `riseml --help`."""
    collected = []
    for word in COMMANDS:
        module = load(word)
        group = getattr(module, "COMMANDS", None)
        if group is None:
            collected.append(Entry((word,), module.command))
        else:
            for second, function in group.items():
                collected.append(Entry((word, second), function))
    return collected


def markdown() -> str:
    """Return an overview of all commands, and a section for each."""
    everything = entries()
    lines = ["## All commands", ""]
    heading = ""
    for entry in everything:
        group = COMMANDS[entry.words[0]].group
        if group != heading:
            lines += ["", f"**{group}**", "", "| command | meaning |", "|---|---|"]
            heading = group
        link = f"[`{entry.name}`](#{entry.page})"
        lines.append(_row(link, _joined(entry.paragraphs[0])))
    lines.append("")
    for entry in everything:
        lines += _section(entry)
    return "\n".join(lines)


def _section(entry: Entry) -> Iterator[str]:
    yield f"({entry.page})="
    yield f"## `{entry.name}`"
    yield ""
    summary, *others = entry.paragraphs
    yield summary
    yield ""
    if entry.first != entry.words[0]:
        yield f"The same as [`riseml {entry.first}`](#riseml-{entry.first})."
        yield ""
        return
    if "Example" in entry.blocks:
        yield from _code(_NOTE.sub(r"\1  # \2", entry.blocks["Example"]), "sh")
    yield from _code(usage(entry), "text")
    for paragraph in others:
        yield paragraph
        yield ""
    if "Action" in entry.blocks:
        yield from _code(entry.blocks["Action"], "text")
    yield from _table(entry, Argument, "argument")
    yield from _table(entry, Option, "option")


def _code(text: str, language: str) -> list[str]:
    return [f"```{language}", text.strip("\n"), "```", ""]


def usage(entry: Entry) -> str:
    """Return the line with all arguments; those that may be absent are in brackets."""
    words = [entry.name]
    if any(isinstance(each, Option) for each in entry.parameters.values()):
        words.append("[OPTIONS]")
    for name, parameter in entry.parameters.items():
        if isinstance(parameter, Argument):
            words.append(_placeholder(entry, name, parameter))
    return " ".join(words)


def _placeholder(entry: Entry, name: str, parameter: Parameter) -> str:
    """Return an argument in the line of usage."""
    placeholder = metavar(entry, name, parameter)
    if _is_list(entry, name):
        placeholder += "..."
    is_required = default_of(entry, name) is inspect.Parameter.empty
    return placeholder if is_required else f"[{placeholder}]"


def _table(entry: Entry, kind: type[Parameter], title: str) -> Iterator[str]:
    rows = []
    for name, parameter in entry.parameters.items():
        if isinstance(parameter, kind):
            spelling = spellings_of(entry, name, parameter)
            rows.append(_row(spelling, help_of(parameter), default_text(entry, name)))
    if rows:
        yield f"| {title} | meaning | default |"
        yield "|---|---|---|"
        yield from rows
        yield ""


def _row(*cells: str) -> str:
    """Return a row of a table; a `|` in a cell would end it."""
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def spellings_of(entry: Entry, name: str, parameter: Parameter) -> str:
    """Return all spellings of an option with its value, or the name of an argument."""
    placeholder = metavar(entry, name, parameter)
    if not parameter.spellings:
        return f"`{placeholder}`"
    separate = [part for text in parameter.spellings for part in text.split("/")]
    spellings = ", ".join(f"`{spelling.strip()}`" for spelling in separate)
    return spellings if _is_flag(entry, name) else f"{spellings} `{placeholder}`"


def metavar(entry: Entry, name: str, parameter: Parameter) -> str:
    """Return the placeholder of a value, which says its unit."""
    given = settings_of(parameter).get("metavar")
    if given:
        return str(given)
    kind = _kind(entry, name)
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return {int: "NUMBER", Path: "FILE"}.get(kind, name.rstrip("_").upper())


def help_of(parameter: Parameter) -> str:
    """Return the sentence about a parameter, as one line."""
    return _joined(str(settings_of(parameter)["help"]))


def settings_of(parameter: Parameter) -> dict[str, Any]:
    """Return what a declaration says about a parameter."""
    return parameter._settings  # noqa: SLF001


def default_of(entry: Entry, name: str) -> Any:
    """Return the value of a parameter that is not given, `Parameter.empty` if it is required."""
    return inspect.signature(entry.function).parameters[name].default


def default_text(entry: Entry, name: str) -> str:
    """Return the default of a parameter, empty if there is none."""
    default = default_of(entry, name)
    if default is inspect.Parameter.empty:
        return "*required*"
    if default in (None, "", (), False):
        return ""
    if default is True:
        return "on"
    return f"`{default}`"


def _kind(entry: Entry, name: str) -> Any:
    """Return the type of one value of a parameter."""
    kind = get_args(entry.function.__annotations__[name])[0]
    if get_origin(kind) in {Union, UnionType}:
        kind = next(part for part in get_args(kind) if part is not NoneType)
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _is_list(entry: Entry, name: str) -> bool:
    return "list[" in str(get_args(entry.function.__annotations__[name])[0])


def _is_flag(entry: Entry, name: str) -> bool:
    return _kind(entry, name) is bool


def _joined(text: str) -> str:
    return " ".join(text.split())
