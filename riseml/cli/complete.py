"""Completions for the shell: `riseml __complete WORDS... UNFINISHED`.

Each line of output is `WORD`, or `WORD<TAB>DESCRIPTION`.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args, get_origin

from typer.core import TyperArgument, TyperCommand, TyperOption

from riseml import cli
from riseml.cli import app, extensions
from riseml.client.client import Client
from riseml.status import ExperimentStatus, JobStatus, SetStatus

Completion = tuple[str, str]
"""A word and its description, which may be empty."""

# A longer list would scroll the line that is being typed off the screen.
_NEWEST_RUNS = 50
_TAKES_EXPERIMENT = frozenset({"status", "logs", "wait", "kill", "tensorboard", "why"})
_TAKES_JOB = frozenset({"status", "logs", "why"})


def complete(words: list[str]) -> int:
    """Print the completions of the last word.

    It never fails, because the user is in the middle of a line.
    """
    try:
        unfinished = words[-1]
        completions = list(_completions(words))
    except Exception:  # noqa: BLE001
        # The command itself will report what is wrong.
        return 0
    for word, description in completions:
        if word.startswith(unfinished):
            line = f"{word}\t{description}".removesuffix("\t")
            sys.stdout.write(f"{line}\n")
    return 0


def _completions(words: list[str]) -> Iterator[Completion]:
    if len(words) <= 1:
        yield from _commands()
        yield from (("--help", ""), ("--version", ""), ("help", "Explain a command."))
    elif words[0] == "help":
        yield from _commands()
    elif words[0] in cli.COMMANDS or extensions.exists(words[0]):
        yield from _arguments(words)


def _commands() -> Iterator[Completion]:
    for name, command in cli.COMMANDS.items():
        yield name, command.summary
    yield from extensions.summaries().items()


def _arguments(words: list[str]) -> Iterator[Completion]:
    """Yield the completions after the name of a command."""
    name, *arguments = words
    module = cli.load(name)
    group = getattr(module, "COMMANDS", None)
    if group is None:
        function = module.command
    elif len(arguments) == 1:
        for word, subcommand in group.items():
            yield word, (subcommand.__doc__ or "").partition("\n")[0]
        return
    else:
        function = group[arguments[0]]
    previous = arguments[-2] if len(arguments) > 1 else ""
    yield from _of_command(name, app.build(name, function), previous, arguments[-1])


def _of_command(
    name: str, command: TyperCommand, previous: str, unfinished: str
) -> Iterator[Completion]:
    option = _option_with_value(command, previous)
    # `--output <TAB>`
    if option is not None:
        kind = option.type_descriptor.annotation
        yield from _values(kind, option.metavar or "", unfinished)
    elif unfinished.startswith("-"):
        yield from _options(command)
    else:
        yield from _argument_values(name, command, unfinished)


def _argument_values(
    name: str, command: TyperCommand, unfinished: str
) -> Iterator[Completion]:
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            kind = parameter.type_descriptor.annotation
            yield from _values(kind, parameter.metavar or "", unfinished, name)


def _option_with_value(command: TyperCommand, word: str) -> TyperOption | None:
    """Return the option that `word` names if a value follows it."""
    for parameter in command.params:
        if isinstance(parameter, TyperOption) and word in parameter.opts:
            return None if parameter.is_flag else parameter
    return None


def _options(command: TyperCommand) -> Iterator[Completion]:
    for parameter in command.params:
        if isinstance(parameter, TyperOption):
            for spelling in (*parameter.opts, *parameter.secondary_opts):
                yield spelling, parameter.help or ""
    yield from (("--help", ""), ("--debug", ""), ("--no-color", ""))


def _values(
    kind: object, metavar: str, unfinished: str, command: str = ""
) -> Iterator[Completion]:
    # The type and the placeholder in the help say what a value is.
    element = get_args(kind)[0] if get_origin(kind) is list else kind
    if choices := get_args(element):
        for choice in choices:
            yield str(choice), ""
    elif "FILE" in metavar or "SRC" in metavar:
        yield from _paths(unfinished)
    elif "ID" in metavar:
        yield from _ids(unfinished, command)


def _paths(unfinished: str) -> Iterator[Completion]:
    folder, slash, _ = unfinished.rpartition("/")
    prefix = folder + slash
    # `/us` is below the root, `us` in the current folder.
    for path in sorted(Path(prefix or ".").iterdir()):
        suffix = "/" if path.is_dir() else ""
        yield f"{prefix}{path.name}{suffix}", ""


def _ids(unfinished: str, command: str) -> Iterable[Completion]:
    # A leading dot belongs to `.USER.14`.
    words = unfinished.lstrip(".").split(".")
    if len(words) > 1 and command in _TAKES_EXPERIMENT:
        return _ids_in_run(words[0], jobs=command in _TAKES_JOB)
    return _run_ids(command)


def _run_ids(command: str) -> Iterator[Completion]:
    # Ids are looked up in ended runs, too: `status`, `logs` and `results` show them.
    for run in Client().runs(all=True, last=_NEWEST_RUNS):
        if _accepts(command, run):
            yield run.id, f"{run.project} {run.state}"


def _ids_in_run(number: str, *, jobs: bool) -> Iterator[Completion]:
    run = Client().read(number)
    parts: list[ExperimentStatus | JobStatus] = [*run.experiments]
    if jobs:
        parts += run.jobs
        for experiment in run.experiments:
            parts += experiment.jobs
    for part in parts:
        yield part.id, str(part.state)


def _accepts(command: str, run: SetStatus) -> bool:
    if command in {"kill", "wait"}:
        return not run.state.is_terminal
    if command == "delete":
        return run.state.is_terminal
    return command != "results" or run.is_set
