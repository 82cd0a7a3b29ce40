"""Completions for the shell: `riseml __complete WORDS... UNFINISHED`.

Each line of output is `WORD`, or `WORD<TAB>DESCRIPTION`.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import filterfalse
from operator import attrgetter
from pathlib import Path
from typing import TypeVar, get_args

from typer.core import TyperArgument, TyperCommand, TyperOption

from riseml import cli
from riseml.cli import app, extensions, overview
from riseml.client.client import Client
from riseml.status import ExperimentStatus, JobStatus, SetStatus

Parameter = TypeVar("Parameter", TyperOption, TyperArgument)

Completion = tuple[str, str]
"""A word and its description, which may be empty."""

# A longer list would scroll the line that is being typed off the screen.
_NEWEST_RUNS = 50
_TAKES_EXPERIMENT = frozenset(
    {
        "status",
        "monitor",
        "logs",
        "wait",
        "kill",
        "release",
        "tensorboard",
        "why",
        "diff",
        "shell",
        "exec",
        "port-forward",
    }
)
_TAKES_JOB = frozenset(
    {"status", "monitor", "logs", "why", "release", "shell", "exec", "port-forward"}
)


def complete(words: list[str]) -> int:
    """Print the completions of the last word.

    It never fails, because the user is in the middle of a line.
    """
    try:
        unfinished = words[-1]
        # Several arguments of a command may be ids.
        completions = list(dict.fromkeys(_completions(words)))
    except Exception:  # noqa: BLE001
        # The command itself will report what is wrong.
        return 0
    for word, description in completions:
        if word.startswith(unfinished):
            line = f"{word}\t{description}".removesuffix("\t")
            sys.stdout.write(f"{line}\n")
    return 0


def _completions(words: list[str]) -> Iterator[Completion]:
    first = words[0]
    if len(words) == 1:
        yield from _commands()
        yield from (("--help", ""), ("--version", ""), ("help", "Explain a command."))
    elif first == "help":
        yield from _commands()
    elif first in cli.COMMANDS or extensions.exists(first):
        yield from _arguments(words)


def _commands() -> Iterator[Completion]:
    for name, command in cli.COMMANDS.items():
        yield name, command.summary
    yield from extensions.summaries().items()


def _arguments(words: list[str]) -> Iterable[Completion]:
    """Return the completions after the name of a command."""
    name, first_argument, *further = words
    module = cli.load(name)
    group = getattr(module, "COMMANDS", None)
    if group is None:
        return _of_command(app.build(name, module.command), words)
    if further:
        return _of_command(app.build(name, group[first_argument]), words)
    return overview.summaries_of(group).items()


def _of_command(command: TyperCommand, words: list[str]) -> Iterator[Completion]:
    """Yield the completions of the last word, which may be the value of an option."""
    name, previous, unfinished = words[0], words[-2], words[-1]
    options = _of_kind(command, TyperOption)
    for option in filterfalse(attrgetter("is_flag"), options):
        # `--output <TAB>`
        if previous in option.opts:
            yield from _values(option, unfinished)
            return
    if unfinished.startswith("-"):
        yield from _spellings(options)
        return
    for argument in _of_kind(command, TyperArgument):
        yield from _values(argument, unfinished, name)


def _of_kind(command: TyperCommand, kind: type[Parameter]) -> list[Parameter]:
    """Return the options or the arguments of a command."""
    return [item for item in command.params if isinstance(item, kind)]


def _spellings(options: list[TyperOption]) -> Iterator[Completion]:
    for option in options:
        for spelling in (*option.opts, *option.secondary_opts):
            yield spelling, option.help or ""
    yield from (("--help", ""), ("--debug", ""), ("--no-color", ""), ("--plain", ""))


def _values(
    parameter: TyperOption | TyperArgument, unfinished: str, command: str = ""
) -> Iterator[Completion]:
    # The type and the placeholder in the help say what a value is.
    kind: object = parameter.type_descriptor.annotation
    placeholder = parameter.metavar or ""
    choices = get_args(app.element_of(kind))
    if choices:
        yield from ((str(choice), "") for choice in choices)
    elif re.search("SRC|URI", placeholder) and unfinished.startswith("c"):
        yield from _code(unfinished)
    elif re.search("FILE|SRC", placeholder):
        yield from _paths(unfinished)
    elif "ID" in placeholder:
        yield from _ids(unfinished, command)


def _paths(unfinished: str) -> Iterator[Completion]:
    folder, slash, _ = unfinished.rpartition("/")
    prefix = folder + slash
    # `/us` is below the root, `us` in the current folder.
    for path in sorted(Path(prefix or ".").iterdir()):
        suffix = "/" if path.is_dir() else ""
        yield f"{prefix}{path.name}{suffix}", ""


def _code(unfinished: str) -> Iterator[Completion]:
    """Yield the code of the newest runs, and paths on this machine that begin alike."""
    for run in _newest_runs():
        yield f"code://{run.id}/", f"{run.project} {run.state}"
    if not unfinished.startswith("code:"):
        yield from _paths(unfinished)


def _ids(unfinished: str, command: str) -> Iterable[Completion]:
    # A leading dot belongs to `.USER.14`.
    number, dot, _ = unfinished.lstrip(".").partition(".")
    if dot and command in _TAKES_EXPERIMENT:
        return _ids_in_run(number, jobs=command in _TAKES_JOB)
    return _ids_and_names(command)


def _ids_and_names(command: str) -> Iterator[Completion]:
    runs = list(_newest_runs(command))
    for run in runs:
        yield run.id, f"{run.project} {run.state}"
    for run in runs:
        if run.marks.name:
            yield run.marks.name, f"{run.id} {run.project} {run.state}"


def _newest_runs(command: str = "") -> Iterable[SetStatus]:
    accepts = _ACCEPTED_RUNS.get(command, _is_any)
    # Ids are looked up in ended runs, too: `status`, `logs` and `results` show them.
    return filter(accepts, Client().runs(all=True, last=_NEWEST_RUNS))


def _ids_in_run(number: str, *, jobs: bool) -> Iterator[Completion]:
    run = Client().read(number)
    items: list[ExperimentStatus | JobStatus] = [*run.experiments]
    if jobs:
        items += run.jobs
        for experiment in run.experiments:
            items += experiment.jobs
    for item in items:
        yield item.id, str(item.state)


def _has_ended(run: SetStatus) -> bool:
    return run.state.is_terminal


def _is_unfinished(run: SetStatus) -> bool:
    return not run.state.is_terminal


def _is_set(run: SetStatus) -> bool:
    return run.is_set


def _is_any(_run: SetStatus) -> bool:
    return True


# The runs that a command accepts; other commands accept every run.
_ACCEPTED_RUNS = {
    "kill": _is_unfinished,
    "monitor": _is_unfinished,
    "wait": _is_unfinished,
    "release": _is_unfinished,
    "shell": _is_unfinished,
    "exec": _is_unfinished,
    "port-forward": _is_unfinished,
    "delete": _has_ended,
}
