"""Output folders of runs: output/<user>/<project>/<number>, which outlive the database."""

import os
from collections.abc import Iterator
from pathlib import Path

from riseml.engines.local import database_faults
from riseml.engines.local.home import output_folder
from riseml.errors import DamagedDatabaseError, HomeError

ARCHIVE = "run.json"
"""Name of the file in an output folder that says how its run ended."""


def folders(home: Path) -> Iterator[Path]:
    """Yield the output folders of all runs of a home, in no particular order."""
    for folder in output_folder(home).glob("*/*/*"):
        if is_number(folder.name) and folder.is_dir():
            yield folder


def exists(home: Path, number: int) -> bool:
    """Return whether a run of this number has an output folder."""
    return any(output_folder(home).glob(f"*/*/{number}"))


def highest_number(home: Path) -> int:
    """Return the highest number of a run with an output folder, 0 if there is none."""
    return max((int(folder.name) for folder in folders(home)), default=0)


def describe_loss(home: Path) -> str:
    """Return what is wrong with a home that has no database; empty if nothing is."""
    numbers = sorted(int(folder.name) for folder in folders(home))
    if not numbers:
        return ""
    path = home / database_faults.NAME
    state = "is empty" if path.exists() else "does not exist"
    count = "1 run" if len(numbers) == 1 else f"{len(numbers)} runs"
    return (
        f"the database {path} {state}, but there is output of {count}"
        f" (the newest is {numbers[-1]})"
    )


def check_not_lost(home: Path) -> None:
    """Check that a home without a database has no output of runs.

    Raises:
        DamagedDatabaseError: it has.
    """
    loss = describe_loss(home)
    if loss:
        raise DamagedDatabaseError(loss, database_faults.REPAIR)


def is_number(name: str) -> bool:
    """Return whether a folder's name is the number of a run."""
    return name.isascii() and name.isdecimal() and not name.startswith("0")


def remove(folder: Path) -> None:
    """Remove the output of a run, even from folders that a job has closed.

    Raises:
        HomeError: something cannot be removed, such as files of another user.
    """
    # Only `delete` needs it.
    from riseml.engines.local.jobs import tree  # noqa: PLC0415

    try:
        tree.remove(os.fsencode(folder))
    except FileNotFoundError:
        # It has been removed before, or another process removes it.
        return
    except OSError as error:
        name = os.fsdecode(error.filename or folder)
        raise HomeError(
            f"{folder} cannot be removed: {error.strerror}: {name}",
            "Remove that yourself, then delete the run again.",
        ) from error
