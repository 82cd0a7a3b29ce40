"""A set of 10,000 experiments: time per experiment compared with a set of 200, and memory of the controller.

The memory is the highest that the controller of these sets has needed, above that of a process which imports Hera.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab import Lab, lab
from measure import Figure, controller_pid, main, memory_mb, side_by_side

SMALL, LARGE = 200, 10_000
IMPORT = "import hera.workflows; import sys; print(flush=True); sys.stdin.read()"


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the ratio of times, and the memory."""
    rounds = rounds or 1
    with lab() as place:
        small = place.grid("small", SMALL, "'true'", modules=20)
        large = place.grid("large", LARGE, "'true'", modules=20)
        place.to_the_end(small)
        base = f"an experiment of {SMALL}"
        times = side_by_side(
            {
                base: lambda: of_several(place, small),
                "large": lambda: place.to_the_end(large) / LARGE,
            },
            base=base,
            rounds=rounds,
            warm=False,
        )
        note = "fewer rounds: a set takes a minute" if rounds < 5 else ""
        name = f"{LARGE:,} experiments: time of one"
        yield times["large"].figure(name, target=1.2, note=note)
        memory = memory_mb(controller_pid(place.home))
        yield Figure(
            name=f"{LARGE:,} experiments: memory of the controller above Hera's",
            value=memory - memory_of_hera(),
            unit="MB",
            base="python: import hera.workflows",
            target=25,
            memory_mb=memory,
        )


def of_several(place: Lab, small: Path) -> float:
    """Return the time per experiment of the smaller set, the mean of five."""
    return sum(place.to_the_end(small) for _ in range(5)) / 5 / SMALL


def memory_of_hera() -> float:
    """Return the highest memory of a process that imports Hera."""
    command = [sys.executable, "-c", IMPORT]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout
        process.stdout.readline()
        return memory_mb(process.pid)


if __name__ == "__main__":
    main(measure)
