"""Comparing 10 sets of 1,000 experiments, compared with one set."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from homes import home_of_sets
from measure import RISEML, Figure, environment, main, side_by_side

SETS, EXPERIMENTS = 10, 1_000


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield a row for results that jobs reported, and one for results that are in logs."""
    with tempfile.TemporaryDirectory() as work:
        for measured in (False, True):
            source = "logs" if measured else "reports"
            folder = Path(work) / source
            home_of_sets(folder, SETS, EXPERIMENTS, measured=measured)
            results = [*RISEML, "results"]
            every_set = [*results, *map(str, range(1, SETS + 1))]
            condition = ["--where", "accuracy > 0.99 and lr < 0.5"]
            commands = {
                "results of one set": [*results, "1"],
                "all": every_set,
                "filtered": [*every_set, *condition],
            }
            variables = environment(folder)
            base = "results of one set"
            times = side_by_side(commands, base=base, rounds=rounds or 5, env=variables)
            name = f"`results` of {SETS} sets of 1,000, from {source}"
            yield times["all"].figure(name, target=3)
            yield times["filtered"].figure(f"{name}, filtered")


if __name__ == "__main__":
    main(measure)
