"""A riseml.yml before any engine: loaded, planned, checked, measured and compiled."""

import fnmatch
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.client.types import NO_OVERRIDES, Overrides
from riseml.errors import ConfigError, Fault, UnsupportedError

# A program is a text of a few kilobytes.
_MAX_PROGRAM_BYTES = 1_000_000

if TYPE_CHECKING:
    from riseml.client.context import ClientContext
    from riseml.config import Loaded
    from riseml.plan import ExperimentSet
    from riseml.project import Survey


def load(
    path: str | Path,
    overrides: Overrides = NO_OVERRIDES,
    content: bytes | None = None,
) -> "Loaded":
    """Read and check a riseml.yml with the changes of a command line.

    `content` is that of the file, if it was read before.

    Raises:
        ConfigError: the file or the changes have faults.
    """
    from riseml import config

    return config.load(
        Path(path),
        parameters=overrides.parameters,
        settings=overrides.settings,
        content=content,
    )


def plan(loaded: "Loaded", seed: int | None = None) -> "ExperimentSet":
    """Return the experiments and jobs that a riseml.yml stands for; see `planner.plan`.

    Raises:
        InvalidInputError: the file has nothing to train.
        UnsupportedError: no engine can do what it asks for.
    """
    from riseml import planner

    return planner.plan(loaded, seed)


def check(
    path: str | Path, context: "ClientContext", overrides: Overrides = NO_OVERRIDES
) -> tuple[Fault, ...]:
    """Return every error and warning of a riseml.yml."""
    try:
        loaded = load(path, overrides)
        planned = plan(loaded)
    except ConfigError as error:
        return error.faults
    except UnsupportedError as error:
        # The file itself is valid, so this is a warning.
        unsupported = Fault(str(path), 0, 0, str(error), "warning", advice=error.advice)
        return (*loaded.warnings, unsupported)
    from riseml.client import install_files, preconditions

    return (
        *loaded.warnings,
        *_code_warnings(loaded, Path(path)),
        *install_files.warnings(planned, Path(path)),
        *preconditions.warnings(context.engine, planned, str(path)),
    )


def _code_warnings(loaded: "Loaded", path: Path) -> tuple[Fault, ...]:
    """Return what the framework warns of in the programs that `run` names."""
    from riseml import frameworks

    train = loaded.train
    if train is None:
        return ()
    faults = []
    for program in _programs(train.run):
        code = _read_program(path.absolute().parent / program)
        warnings = frameworks.code_warnings(
            train.framework, train.options, train.image, code
        )
        for warning in warnings:
            faults.append(Fault(str(path), 0, 0, f"{program}: {warning}", "warning"))
    return tuple(faults)


def _programs(lines: Iterable[str]) -> list[str]:
    """Return the Python files that lines of `run` name, each once."""
    words = " ".join(lines).split()
    return list(dict.fromkeys(fnmatch.filter(words, "*.py")))


def _read_program(path: Path) -> str:
    """Return the text of a program; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_PROGRAM_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def survey(
    context: "ClientContext", path: str | Path, gitignore: bool | None
) -> "Survey":
    """Return what a snapshot of a riseml.yml's folder would hold and leave out.

    `gitignore` None follows the settings.

    Raises:
        ProjectError: a folder cannot be read.
    """
    from riseml.project import Survey, copied, excluded
    from riseml.project.folders import SIZE
    from riseml.project.walk import walk

    folder = os.fsencode(Path(path).absolute().parent)
    # Without an earlier snapshot the content of every file is pending.
    tree = walk(
        folder,
        {},
        gitignore=context.uses_gitignore(gitignore),
        copied=copied.rules(context.settings.home, folder),
    )
    size = sum(key[SIZE] for _, _, key in tree.pending)
    return Survey(len(tree.pending), size, excluded.describe(tree))
