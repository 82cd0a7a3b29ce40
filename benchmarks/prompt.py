"""Time from the end of a job to the shell's prompt: `riseml train -l` of a job that takes a second."""

import subprocess
import time
from collections.abc import Iterator

from lab import Lab, lab
from measure import RISEML, Figure, absolute, main


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the milliseconds from the last command of the job to the exit of `train -l`."""
    with lab() as place:
        run = f"'sleep 1; date +%s.%N > {place.folder}/mark'"
        place.one_job("prompt", run)
        _milliseconds(place)
        taken = [_milliseconds(place) for _ in range(rounds or 7)]
        yield absolute("`train -l`: end of a 1 s job to the prompt", taken, "ms", 50)


def _milliseconds(place: Lab) -> float:
    subprocess.run(
        [*RISEML, "train", "-l"],
        cwd=place.folder / "prompt",
        env=place.variables,
        check=True,
        capture_output=True,
    )
    now = time.time()
    return 1000 * (now - float((place.folder / "mark").read_text()))


if __name__ == "__main__":
    main(measure)
