"""Cost of a log: a job that prints a million lines, compared with a shell redirect of the same program."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import compare, environment, job_seconds, said, verdict

from riseml.engines.local import protocol

RISEML = [sys.executable, "-m", "riseml"]
JOBS = {
    "print": "import sys\nfor n in range(1_000_000): print('line', n)\n",
    "write": "import sys\nfor n in range(1_000_000): sys.stdout.write('a line of some length\\n')\n",
}


def shell(work: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(
        ["sh", "-c", f"{sys.executable} job.py > {work}/out"],
        cwd=work / "project",
        env=environment(work),
        check=True,
    )
    return time.perf_counter() - begun


def riseml(work: Path, home: Path) -> float:
    """Return the duration of the job as recorded by the engine. Another benchmark measures the start."""
    number = said([*RISEML, "train", "-o", "name"], work / "project", home)
    said([*RISEML, "wait", number], work / "project", home)
    (record,) = home.glob(f"output/*/logs/{number}/run.json")
    return job_seconds(record)


def main() -> None:
    work = Path(tempfile.mkdtemp())
    home = work / "home"
    (work / "project").mkdir()
    (work / "project/riseml.yml").write_text(
        f"project: logs\ntrain:\n  image: busybox\n  resources: {{cpus: 0.1, mem: 1}}\n  run: {sys.executable} job.py\n"
    )
    try:
        for name, code in JOBS.items():
            (work / "project/job.py").write_text(code)
            ratios = compare(
                {
                    f"{name}: > file": lambda: shell(work),
                    f"{name}: job of riseml": lambda: riseml(work, home),
                },
                base=f"{name}: > file",
                rounds=7,
            )
            verdict(f"1,000,000 lines by {name}", ratios[f"{name}: job of riseml"], 1.3)
    finally:
        protocol.stop_controller(home)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
