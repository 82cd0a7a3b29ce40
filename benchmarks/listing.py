"""A home with 10,000 runs, and a set of 2,000 experiments, compared with Python reading the same rows."""

import sys
from collections.abc import Iterator
from pathlib import Path

from homes import home
from lab import lab
from measure import RISEML, Command, Figure, environment, main, side_by_side

EXPERIMENTS = 2_000
REPORT = """'echo "{\\"accuracy\\": 0.{{n}}}" > $RESULT_FILE'"""
READ = """
import sqlite3, json, sys
for data, in sqlite3.connect(sys.argv[1]).execute("SELECT data FROM experiments"):
    json.loads(data)
"""


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the rows of the set, and those of the list."""
    with lab() as place:
        # A set that has really run: its document and its rows are what users have.
        number = place.train(place.grid("set", EXPERIMENTS, REPORT))
        place.riseml("wait", number)
        yield from _of_a_set(place.home, rounds or 9)
        yield from _of_runs(home(place.folder / "many", 10_000), rounds or 5)


def _of_a_set(folder: Path, rounds: int) -> Iterator[Figure]:
    base = "python: import sqlite3, json; read the rows"
    commands: dict[str, Command] = {
        base: [sys.executable, "-c", READ, str(folder / "riseml.db")],
        "riseml status 1": [*RISEML, "status", "1"],
        "riseml results 1": [*RISEML, "results", "1"],
    }
    times = side_by_side(commands, base=base, rounds=rounds, env=environment(folder))
    for command in ("status", "results"):
        name = f"`{command} ID` of a set of {EXPERIMENTS:,}"
        yield times[f"riseml {command} 1"].figure(name, target=3)


def _of_runs(folder: Path, rounds: int) -> Iterator[Figure]:
    status = [*RISEML, "status", "-a", "-n"]
    commands: dict[str, Command] = {
        "the newest 20": [*status, "20"],
        "all": [*status, "0"],
        "all, with results": [*status, "0", "-l"],
        "all, as JSON": [*status, "0", "-o", "json"],
    }
    base = "the newest 20"
    times = side_by_side(commands, base=base, rounds=rounds, env=environment(folder))
    for name in list(commands)[1:]:
        yield times[name].figure(f"`status -a` with 10,000 runs: {name}")


if __name__ == "__main__":
    main(measure)
