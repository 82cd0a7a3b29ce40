"""Help of `riseml --help` and of groups of commands."""

from collections.abc import Callable, Mapping
from typing import Any

from riseml.cli import Command

_HEAD = """\
RiseML runs machine-learning experiments from one file, riseml.yml.

Usage: riseml COMMAND [ARGUMENTS]

Examples:
  riseml init && riseml train -l    write a riseml.yml, run it and watch its log
  riseml results 14 --sort loss     compare the experiments of set 14
"""
_FOOT = """
Options:
  -h, --help      also after each command
  -V, --version
  --no-color      no colours; the variable NO_COLOR does the same
  --plain         for screen readers; so do RISEML_PLAIN=1 and `plain: true`
  --debug         show tracebacks; the variable RISEML_DEBUG does the same

Next: `riseml init` writes a riseml.yml, `riseml COMMAND --help` explains one.
"""
_EXTENSIONS = "From other packages"


def text(commands: Mapping[str, Command], extensions: Mapping[str, str]) -> str:
    """Return the help of all commands.

    `extensions` maps the names of other packages' commands to their summaries.
    """
    listed = _by_module(commands)
    sections: dict[str, dict[str, str]] = {}
    for names, command in listed.items():
        sections.setdefault(command.group, {})[names] = command.summary
    # Most users have none and do not need the heading.
    if extensions:
        sections[_EXTENSIONS] = dict(extensions)
    width = max(map(len, [*listed, *extensions])) + 2
    body = ""
    for heading, section in sections.items():
        body += f"\n{heading}:\n{_rows(section, width)}"
    return _HEAD + body + _FOOT


def _by_module(commands: Mapping[str, Command]) -> dict[str, Command]:
    """Return the commands under their names: `train, submit` are one module."""
    names: dict[str, list[str]] = {}
    for name, command in commands.items():
        names.setdefault(command.module, []).append(name)
    return {", ".join(synonyms): commands[synonyms[0]] for synonyms in names.values()}


def _rows(summaries: Mapping[str, str], width: int) -> str:
    return "".join(
        f"  {names:{width}}{summary}\n" for names, summary in summaries.items()
    )


def summaries_of(commands: Mapping[str, Callable[..., Any]]) -> dict[str, str]:
    """Return the summary of each command of a group: the first line of its docstring."""
    return {
        word: (function.__doc__ or "").partition("\n")[0]
        for word, function in commands.items()
    }


def group(name: str, docstring: str, commands: Mapping[str, Callable[..., Any]]) -> str:
    """Return the help of a group of commands, such as `riseml user`."""
    summaries = summaries_of(commands)
    width = max(map(len, summaries)) + 2
    return (
        f"{docstring.strip()}\n\nUsage: riseml {name} COMMAND [ARGUMENTS]\n\n"
        f"Commands:\n{_rows(summaries, width)}\n"
        f"`riseml {name} COMMAND --help` explains a command.\n"
    )
