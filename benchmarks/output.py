"""Writing logs: jobs that print a million lines or more, compared with a shell redirect.

Output appears at once. So programs other than Python are compared with a plain redirect, Python with `python -u` as
well. A C program of the user's own prints line by line; its row is for information.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

from lab import Lab, lab
from measure import Figure, job_seconds, main, side_by_side

LINES = 3_000_000
C_PROGRAM = '#include <stdio.h>\nint main(void) { for (int n = 0; n < 1000000; n++) printf("line %d\\n", n); }\n'
AWK = f"awk 'BEGIN {{ for (n = 0; n < {LINES}; n++) print \"line\", n }}'"
# The program of the job, that of the shell, and the limit of their ratio. A job takes some milliseconds by itself, so
# the fast programs print more lines.
JOBS = {
    "seq, 3,000,000 lines": (f"seq {LINES}", f"seq {LINES}", 1.3),
    "awk, 3,000,000 lines": (AWK, AWK, 1.3),
    "cat, 100 MB": ("cat WORK/data", "cat WORK/data", 1.3),
    "python, 1,000,000 lines": (
        f"{sys.executable} WORK/job.py",
        f"{sys.executable} -u WORK/job.py",
        1.1,
    ),
    "C, 1,000,000 lines": ("WORK/count", "stdbuf -oL WORK/count", None),
}


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield a row for each program."""
    with lab() as place:
        _prepare(place)
        for name, (job, command, target) in JOBS.items():
            if name.startswith("C,") and not (place.folder / "count").exists():
                continue
            times = side_by_side(
                {
                    "> file": lambda command=command: shell(place, command),  # type: ignore[misc]
                    name: lambda job=job: riseml(place, job),  # type: ignore[misc]
                },
                base="> file",
                rounds=rounds or 5,
            )
            yield times[name].figure(f"output of {name}", target)


def _prepare(place: Lab) -> None:
    folder = place.folder
    (folder / "job.py").write_text("for n in range(1_000_000): print('line', n)\n")
    with (folder / "data").open("wb") as data:
        data.writelines(b"a line of a file\n" * 65536 for _ in range(96))
    (folder / "count.c").write_text(C_PROGRAM)
    if shutil.which("cc"):
        subprocess.run(["cc", "-O2", "count.c", "-o", "count"], cwd=folder, check=True)
    place.one_job("output", "'true'")


def shell(place: Lab, command: str) -> float:
    """Return the wall time of a program in a shell."""
    # A job's log is a new file as well.
    (place.folder / "out").unlink(missing_ok=True)
    program = command.replace("WORK", str(place.folder))
    begun = time.perf_counter()
    subprocess.run(
        ["sh", "-c", f"{program} > {place.folder}/out"],
        env=place.variables,
        check=True,
    )
    return time.perf_counter() - begun


def riseml(place: Lab, command: str) -> float:
    """Return the duration of the job as the engine recorded it."""
    run = json.dumps(command.replace("WORK", str(place.folder)))
    project = place.folder / "output"
    number = place.riseml(
        "train", "--set", f"train.run={run}", "-o", "name", folder=project
    )
    place.riseml("wait", number)
    output = place.output(project, number)
    # The disk must not be busy with the logs of earlier rounds.
    next(output.glob(".riseml/logs/train.0.log")).unlink()
    return job_seconds(output / "run.json")


if __name__ == "__main__":
    main(measure)
