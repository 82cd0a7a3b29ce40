"""Cost of `riseml retry` of a set of 1,000 experiments of which 10 have failed, compared with a set of these 10 alone.

Each round takes the command until it returns, and the time until the 10 have ended again.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lab import Lab, lab
from measure import Figure, main, side_by_side

FAILED = 10


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield a row for the command, and one for the end of the set."""
    os.environ["RISEML_CPUS"] = "50"
    with lab() as few, lab() as many:
        small, large = _failed_set(few, FAILED), _failed_set(many, 1_000)
        for name, take in (("`retry`", _retry), ("`retry` and `wait`", _to_the_end)):
            base = f"{name} of a set of {FAILED}"
            times = side_by_side(
                {base: take(few, small), "large": take(many, large)},
                base=base,
                rounds=rounds or 9,
            )
            yield times["large"].figure(f"{name} of 10 of 1,000", 1.5)


def _failed_set(place: Lab, count: int) -> Path:
    """Run a set of which FAILED experiments fail, and return its project."""
    run = f"test $(( {{{{n}}}} % {count // FAILED} )) != 0"
    project = place.grid("many", count, run, concurrency=50, cpus=0.02)
    place.riseml("wait", place.train(project), status=100)
    return project


def _retry(place: Lab, project: Path) -> Callable[[], float]:
    def take() -> float:
        begun = time.perf_counter()
        written = place.riseml("retry", "1", "-o", "json", folder=project)
        seconds = time.perf_counter() - begun
        assert written.count('"1.') == FAILED, written
        place.riseml("wait", "1", status=100)
        return seconds

    return take


def _to_the_end(place: Lab, project: Path) -> Callable[[], float]:
    def take() -> float:
        begun = time.perf_counter()
        place.riseml("retry", "1", "-o", "json", folder=project)
        place.riseml("wait", "1", status=100)
        return time.perf_counter() - begun

    return take


if __name__ == "__main__":
    main(measure)
