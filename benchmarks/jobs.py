"""Cost per experiment: 500 experiments of `true`, two at a time, against GNU parallel; and 2,000 against 200.

Needs GNU parallel (Debian: parallel). Every experiment has its own checkout of 20 files, record, log, exit status and
committed state.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from measure import said, seconds, verdict

from riseml.engines.local import protocol

RISEML = [sys.executable, "-m", "riseml"]


def project(folder: Path, experiments: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"module_{number}.py").write_text(f"VALUE = {number}\n" * 40)
    (folder / "riseml.yml").write_text(
        "project: jobs\ntrain:\n  image: busybox\n  resources: {cpus: 0.1, mem: 1}\n"
        f"  parameters: {{n: {{range: {{min: 1, max: {experiments}, step: 1}}}}}}\n  concurrency: 2\n  run: 'true'\n"
    )
    return folder


def riseml(folder: Path, home: Path) -> float:
    """Return the wall time of `train` and `wait` of the project."""
    begun = time.perf_counter()
    number = said([*RISEML, "train", "-o", "name"], folder, home)
    said([*RISEML, "wait", number], folder, home)
    return time.perf_counter() - begun


def main() -> None:
    work = Path(tempfile.mkdtemp())
    home = work / "home"
    try:
        folders = {
            experiments: project(work / str(experiments), experiments)
            for experiments in (1, 200, 500, 2000)
        }
        riseml(folders[1], home)  # starts the controller, which loads Hera
        ours, theirs, ratios = [], [], []
        for round_ in range(3):
            log = work / f"log-{round_}"
            items = [str(n) for n in range(500)]
            theirs.append(
                seconds(
                    [
                        "parallel",
                        "-j2",
                        "--results",
                        str(log),
                        "--joblog",
                        f"{log}.jobs",
                        "true",
                        ":::",
                        *items,
                    ]
                )
            )
            ours.append(riseml(folders[500], home))
            ratios.append(ours[-1] / theirs[-1])
        print(f"parallel -j2 --results --joblog, 500 jobs  {median(theirs):7.2f} s")
        print(
            f"riseml train && wait, 500 experiments            {median(ours):7.2f} s  {median(ours) * 2:.2f} ms each"
        )
        verdict("500 experiments against parallel", median(ratios), 5)
        small = median(riseml(folders[200], home) for _ in range(3)) / 200
        large = riseml(folders[2000], home) / 2000
        print(
            f"per experiment: {small * 1000:.2f} ms of 200, {large * 1000:.2f} ms of 2,000"
        )
        verdict("an experiment of 2,000 against one of 200", large / small, 1.3)
        pid = int((home / "controller.lock").read_text())
        peak = next(
            line
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        )
        verdict(
            "controller after 2,000 experiments, Hera loaded",
            int(peak.split()[1]) / 1024,
            130,
            "MB",
        )
    finally:
        protocol.stop_controller(home)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
