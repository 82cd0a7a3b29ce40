"""Cost per experiment: 500 experiments of `true` and of `python -c pass`, two at a time, against GNU parallel.

Every experiment has its own checkout of 20 files, record, log, exit status and committed state. GNU parallel keeps
the output of every job in a file, and a job log.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import peer_tools
from lab import lab
from measure import Figure, Sample, main, sample, side_by_side

EXPERIMENTS = 500
BASE = "parallel -j2 --results --joblog"
# The program of a job, and the highest ratio of both times.
PROGRAMS = {
    "true": (["true"], 2.0),
    "python -c pass": ([sys.executable, "-c", "pass"], 1.25),
}


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield a row for each program."""
    program = peer_tools.parallel()
    with lab() as place:
        for name, (words, target) in PROGRAMS.items():
            run = f"'{' '.join(words)}'"
            title = f"jobs-{words[-1]}"
            project = place.grid(title, EXPERIMENTS, run, modules=20)
            times = side_by_side(
                {
                    BASE: lambda words=words: parallel(program, place.folder, words),  # type: ignore[misc]
                    name: lambda project=project: place.to_the_end(project),  # type: ignore[misc]
                },
                base=BASE,
                rounds=rounds or 5,
            )
            yield times[name].figure(f"{EXPERIMENTS} experiments of `{name}`", target)


def parallel(program: str, folder: Path, words: list[str]) -> Sample:
    """Run the jobs with GNU parallel."""
    results = folder / "parallel"
    shutil.rmtree(results, ignore_errors=True)
    keep = ["--results", str(results), "--joblog", f"{results}.jobs"]
    items = [str(number) for number in range(EXPERIMENTS)]
    return sample([program, "-j2", *keep, *words, ":::", *items])


if __name__ == "__main__":
    main(measure)
