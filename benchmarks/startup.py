"""Start-up time of commands, compared with `python -c pass`."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from homes import home
from measure import PASS, RISEML, Figure, environment, main, side_by_side


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield what `status` costs with few and many runs, and what other quick commands cost."""
    work = Path(tempfile.mkdtemp())
    few = environment(home(work / "few", 10))
    many = environment(home(work / "many", 10_000))
    try:
        yield from _status(few, "10", rounds)
        yield from _status(many, "10,000", rounds)
        os.environ.update(few)
        commands = {
            "python -c pass": PASS,
            "import typer": [sys.executable, "-c", "import typer"],
            "riseml --version": [*RISEML, "--version"],
            "riseml --help": [*RISEML, "--help"],
            "riseml train --help": [*RISEML, "train", "--help"],
        }
        times = side_by_side(commands, base="python -c pass", rounds=rounds or 15)
        for name in list(commands)[1:]:
            yield times[name].figure(name)
    finally:
        shutil.rmtree(work)


def _status(
    variables: dict[str, str], count: str, rounds: int | None
) -> Iterator[Figure]:
    """Compare the list of what is running, and that of the newest 20."""
    commands = {
        "python -c pass": PASS,
        "riseml status": [*RISEML, "status"],
        "riseml status -a": [*RISEML, "status", "-a"],
    }
    times = side_by_side(
        commands, base="python -c pass", rounds=rounds or 15, env=variables
    )
    for name in ("riseml status", "riseml status -a"):
        yield times[name].figure(f"`{name}` with {count} runs", target=4)


if __name__ == "__main__":
    main(measure)
