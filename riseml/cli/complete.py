"""What the shell asks while somebody types: `riseml __complete WORDS... UNFINISHED`, one `word<TAB>remark` a line."""

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args, get_origin

from typer.core import TyperArgument, TyperCommand, TyperOption

from riseml.cli import COMMANDS, app
from riseml.client.client import Client
from riseml.status import SetStatus

# Runs offered
_NEWEST = 50


def complete(words: list[str]) -> int:
    """Print what the last word may become; never an error, the user is in the middle of a line."""
    try:
        lines = [
            f"{word}\t{remark}" if remark else word
            for word, remark in _offer(words)
            if word.startswith(words[-1])
        ]
    except Exception:  # noqa: BLE001
        # Whatever is wrong, the command itself will say it
        return 0
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _offer(words: list[str]) -> Iterable[tuple[str, str]]:
    if len(words) <= 1:
        yield from ((name, summary) for name, (_, summary, _) in COMMANDS.items())
        yield from (("--help", ""), ("--version", ""), ("help", "Explain a command."))
    elif words[0] == "help":
        yield from ((name, summary) for name, (_, summary, _) in COMMANDS.items())
    elif words[0] in COMMANDS:
        module = import_module(f"riseml.cli.{COMMANDS[words[0]][0]}")
        group = getattr(module, "COMMANDS", None)
        if group and len(words) == 2:  # noqa: PLR2004
            yield from (
                (name, (each.__doc__ or "").partition("\n")[0])
                for name, each in group.items()
            )
            return
        command = app.build(words[0], group[words[1]] if group else module.command)
        previous = words[-2] if words[1:-1] else ""
        yield from _of_command(words[0], command, previous, words[-1])


def _of_command(
    name: str, command: TyperCommand, before: str, current: str
) -> Iterator[tuple[str, str]]:
    option = next(
        (
            p
            for p in command.params
            if isinstance(p, TyperOption) and before in p.opts and not p.is_flag
        ),
        None,
    )
    if option is not None:
        yield from _values(
            option.type_descriptor.annotation, option.metavar or "", current
        )
    elif current.startswith("-"):
        for parameter in command.params:
            if isinstance(parameter, TyperOption):
                yield from (
                    (text, parameter.help or "")
                    for text in (*parameter.opts, *parameter.secondary_opts)
                )
        yield from (("--help", ""), ("--debug", ""), ("--no-color", ""))
    else:
        for parameter in command.params:
            if isinstance(parameter, TyperArgument):
                yield from _values(
                    parameter.type_descriptor.annotation,
                    parameter.metavar or "",
                    current,
                    name,
                )


def _values(
    kind: object, metavar: str, current: str, name: str = ""
) -> Iterator[tuple[str, str]]:
    inner = get_args(kind)[0] if get_origin(kind) is list else kind
    if choices := get_args(inner):
        yield from ((str(choice), "") for choice in choices)
    elif "FILE" in metavar or "SRC" in metavar:
        yield from _paths(current)
    elif "ID" in metavar:
        yield from _ids(current, name)


def _paths(current: str) -> Iterator[tuple[str, str]]:
    folder, _, _ = current.rpartition("/")
    for path in sorted(
        Path(folder or ("/" if current.startswith("/") else ".")).iterdir()
    ):
        yield (
            f"{current[: len(current) - len(current.rpartition('/')[2])]}{path.name}{'/' if path.is_dir() else ''}",
            "",
        )


def _ids(current: str, name: str) -> Iterator[tuple[str, str]]:
    client = Client()
    if "." in current.lstrip(".") and name in {
        "status",
        "logs",
        "wait",
        "kill",
        "tensorboard",
        "why",
    }:
        run = client.read(current.lstrip(".").split(".")[0])
        yield from ((each.id, str(each.state)) for each in run.experiments)
        if name in {"status", "logs", "why"}:
            yield from ((job.id, str(job.state)) for job in run.jobs)
            yield from (
                (job.id, str(job.state))
                for each in run.experiments
                for job in each.jobs
            )
        return
    for run in client.runs(all=True, last=_NEWEST):
        if _fits(run, name):
            yield run.id, f"{run.project} {run.state}"


def _fits(run: SetStatus, name: str) -> bool:
    if name in {"kill", "wait"}:
        return not run.state.is_terminal
    if name == "delete":
        return run.state.is_terminal
    return name != "results" or run.is_set
