"""What `riseml` and `riseml --help` print."""

from collections.abc import Callable, Mapping
from typing import Any

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
  --no-color      plain text; the variable NO_COLOR does the same
  --debug         show tracebacks; the variable RISEML_DEBUG does the same

Next: `riseml init` writes a riseml.yml, `riseml COMMAND --help` explains a command.
"""


def text(commands: Mapping[str, tuple[str, str, str]]) -> str:
    """Return the help of all commands, by group; commands of one module share a line."""
    lines: dict[str, dict[str, str]] = {}
    names: dict[str, list[str]] = {}
    for name, (module, summary, group) in commands.items():
        names.setdefault(module, []).append(name)
        lines.setdefault(group, {})[module] = summary
    width = max(len(", ".join(words)) for words in names.values()) + 2
    groups = (
        f"\n{group}:\n"
        + "".join(
            f"  {', '.join(names[key]):{width}}{summary}\n"
            for key, summary in entries.items()
        )
        for group, entries in lines.items()
    )
    return _HEAD + "".join(groups) + _FOOT


def group(name: str, about: str, commands: Mapping[str, Callable[..., Any]]) -> str:
    """Return the help of a group of commands, such as `riseml user`."""
    width = max(map(len, commands)) + 2
    rows = (
        f"  {word:{width}}{(each.__doc__ or '').partition(chr(10))[0]}\n"
        for word, each in commands.items()
    )
    return (
        f"{about.strip()}\n\nUsage: riseml {name} COMMAND [ARGUMENTS]\n\nCommands:\n{''.join(rows)}"
        f"\n`riseml {name} COMMAND --help` explains a command.\n"
    )
