"""Cost of monitoring: `riseml monitor` and the samples of the controller, with 100 running jobs."""

import time
from collections.abc import Iterator

from idle import on_a_terminal, shares
from lab import lab
from measure import RISEML, Figure, absolute, controller_pid, main

JOBS = 100
SECONDS = 25.0


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the shares of a core that the command and the controller use."""
    seconds = SECONDS * (rounds or 1)
    with lab() as place:
        # Each job is a shell that sleeps.
        project = place.grid(
            "monitored", JOBS, "sleep 1000", concurrency=JOBS, cpus=0.01
        )
        number = place.train(project)
        while len(place.riseml("monitor", "-o", "name").split()) < JOBS:
            time.sleep(1)
        used = on_a_terminal([*RISEML, "monitor"], place, seconds)
        yield absolute(f"CPU of `monitor` with {JOBS} jobs", used, "%", 5)
        used = shares(controller_pid(place.home), seconds)
        name = f"CPU of the controller, which samples {JOBS} jobs"
        yield absolute(name, used, "%", 2)
        place.riseml("kill", "--force", number)


if __name__ == "__main__":
    main(measure)
