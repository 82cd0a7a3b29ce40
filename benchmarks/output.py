"""Cost of output that appears at once: jobs that print a million lines, compared with a shell redirect.

Programs other than Python are compared with a plain redirect, Python with `python -u`. A C program of the user's own
prints line by line; its figure is for information.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import compare, environment, job_seconds, said, verdict

from riseml.engines.local import protocol

RISEML = [sys.executable, "-m", "riseml"]
LINES = 3_000_000
C_PROGRAM = '#include <stdio.h>\nint main(void) { for (int n = 0; n < 1000000; n++) printf("line %d\\n", n); }\n'
# The program of the job, that of the shell, and the limit of their ratio. A job takes some milliseconds by itself, so
# the fast programs print more lines.
JOBS = {
    "seq, 3,000,000 lines": (f"seq {LINES}", f"seq {LINES}", 1.3),
    "awk, 3,000,000 lines": (
        f"awk 'BEGIN {{ for (n = 0; n < {LINES}; n++) print \"line\", n }}'",
        f"awk 'BEGIN {{ for (n = 0; n < {LINES}; n++) print \"line\", n }}'",
        1.3,
    ),
    "cat, 100 MB": ("cat WORK/data", "cat WORK/data", 1.3),
    "python": (f"{sys.executable} job.py", f"{sys.executable} -u job.py", 1.1),
    "C": ("WORK/count", "stdbuf -oL WORK/count", 1.3),
}


def shell(work: Path, command: str) -> float:
    # A job's log is a new file as well.
    (work / "out").unlink(missing_ok=True)
    begun = time.perf_counter()
    program = command.replace("WORK", str(work))
    subprocess.run(
        ["sh", "-c", f"{program} > {work}/out"],
        cwd=work / "project",
        env=environment(work),
        check=True,
    )
    return time.perf_counter() - begun


def riseml(work: Path, home: Path, command: str) -> float:
    """Return the duration of the job as the engine recorded it."""
    folder = work / "project"
    run = json.dumps(command.replace("WORK", str(work)))
    (folder / "riseml.yml").write_text(
        "project: output\ntrain:\n  image: busybox\n  resources: {cpus: 0.1, mem: 1}\n"
        f"  run: {run}\n"
    )
    number = said([*RISEML, "train", "-o", "name"], folder, home)
    said([*RISEML, "wait", number], folder, home)
    (record,) = home.glob(f"output/*/output/{number}/run.json")
    # The disk must not be busy with the logs of earlier rounds.
    next(record.parent.glob(".riseml/logs/train.0.log")).unlink()
    return job_seconds(record)


def main() -> None:
    work = Path(tempfile.mkdtemp())
    home = work / "home"
    (work / "project").mkdir()
    (work / "project/job.py").write_text(
        "for n in range(1_000_000): print('line', n)\n"
    )
    with (work / "data").open("wb") as data:
        data.writelines(b"a line of a file\n" * 65536 for _ in range(96))
    (work / "count.c").write_text(C_PROGRAM)
    if shutil.which("cc"):
        subprocess.run(["cc", "-O2", "count.c", "-o", "count"], cwd=work, check=True)
    else:
        del JOBS["C"]
    try:
        for name, (job, command, bar) in JOBS.items():
            base = f"{name}: > file"
            commands = {
                base: lambda command=command: shell(work, command),
                f"{name}: job of riseml": lambda job=job: riseml(work, home, job),
            }
            ratios = compare(commands, base=base, rounds=5)
            verdict(name, ratios[f"{name}: job of riseml"], bar)
    finally:
        protocol.stop_controller(home)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
