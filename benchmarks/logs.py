"""What a log costs: a job that prints a million lines, against the same redirected to a file by the shell."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import compare, said, verdict

from riseml.engines.local import wire

JOBS = {
    "print": "import sys\nfor n in range(1_000_000): print('line', n)\n",
    "write": "import sys\nfor n in range(1_000_000): sys.stdout.write('a line of some length\\n')\n",
}


def shell(work: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(["sh", "-c", f"{sys.executable} job.py > {work}/out"], cwd=work / "project", check=True)
    return time.perf_counter() - begun


def riseml(work: Path, home: Path) -> float:
    """Return the wall time of `train` and `wait`: what starting costs is in it."""
    begun = time.perf_counter()
    number = said([sys.executable, "-m", "riseml", "train", "-o", "name"], work / "project", home)
    said([sys.executable, "-m", "riseml", "wait", number], work / "project", home)
    return time.perf_counter() - begun


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
                {f"{name}: > file": lambda: shell(work), f"{name}: riseml train, wait": lambda: riseml(work, home)},
                base=f"{name}: > file",
                rounds=7,
            )
            verdict(f"1,000,000 lines by {name}, start and wait included", ratios[f"{name}: riseml train, wait"], 1.3)
    finally:
        wire.leave(home)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
