"""Epochs that searches with early stops need, and how good their winners are, compared with the whole grid.

A toy problem of 64 configurations and 81 epochs, run by the local engine. Its curves cross: early ranks mislead.
Programs without added code are stopped by what they print, up to half a second late. The others ask at each report.

    .venv/bin/python benchmarks/early_stops.py [SEED…]
"""

import json
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from measure import environment, verdict

from riseml.engines.local import protocol

RISEML = [sys.executable, "-m", "riseml"]
EPOCHS, RATES, ENDS = 81, 8, 8
EPOCH_SECONDS = 0.15
PROGRAM = f"""
import json, os, time
curves = json.load(open("curves.json"))
for epoch, loss in enumerate(curves[os.environ["CELL"]], 1):
    REPORT
    time.sleep({EPOCH_SECONDS})
"""
REPORTS = {
    "prints": 'print("epoch", epoch, "loss", loss, flush=True)',
    "asks": """
    import riseml
    riseml.report_result(epoch=epoch, loss=loss)
    if riseml.should_stop():
        break
    """,
}
TRAIN = f"""\
project: toy
train:
  image: busybox
  resources: {{cpus: 0.02, mem: 1}}
  parameters:
    cell: {{range: {{min: 1, max: {RATES * ENDS}, step: 1}}}}
  concurrency: 64
  search: {{method: METHOD, metric: loss, mode: min, max_resource: {EPOCHS}}}
  run: python3 train.py
"""


def curves(seed: int) -> tuple[dict[int, list[float]], list[int]]:
    """Return the losses of each configuration by epoch, and the configurations in the order of their true ends."""
    source = random.Random(seed)
    losses, ends = {}, {}
    for cell in range(1, RATES * ENDS + 1):
        rate, end = math.exp(source.uniform(-4, -1)), source.uniform(0, 1)
        truth = [
            end + (1.5 - end) * math.exp(-rate * epoch)
            for epoch in range(1, EPOCHS + 1)
        ]
        losses[cell] = [value + source.gauss(0, 0.02) for value in truth]
        ends[cell] = truth[-1]
    return losses, sorted(ends, key=ends.__getitem__)


def run(work: Path, method: str, report: str, seed: int) -> tuple[float, int, float]:
    """Return the share of the grid's epochs, the true rank of the winner from 1, and the seconds."""
    losses, order = curves(seed)
    folder = work / "project"
    folder.mkdir(exist_ok=True)
    (folder / "curves.json").write_text(json.dumps(losses))
    (folder / "train.py").write_text(PROGRAM.replace("REPORT", REPORTS[report].strip()))
    (folder / "riseml.yml").write_text(TRAIN.replace("METHOD", method))
    env = environment(work / "home") | {"RISEML_CPUS": "4"}

    def riseml(*words: str) -> str:
        command = [*RISEML, *words]
        return subprocess.run(
            command, cwd=folder, env=env, check=True, capture_output=True, text=True
        ).stdout

    begun = time.perf_counter()
    number = riseml("train", "-o", "name").strip()
    riseml("wait", number)
    seconds = time.perf_counter() - begun
    rows = json.loads(riseml("results", number, "-o", "json"))["experiments"]
    (folder_of_run,) = (work / "home").glob(f"output/*/toy/{number}")
    used = 0
    for log in folder_of_run.glob("*/.riseml/logs/train.0.log"):
        used += sum(line.startswith("epoch ") for line in log.read_text().splitlines())
    for file in folder_of_run.glob("*/.riseml/results.jsonl"):
        used += len(file.read_text().splitlines())
    (best,) = (row for row in rows if row["best"])
    share = used / (EPOCHS * len(losses))
    return share, order.index(int(best["parameters"]["cell"])) + 1, seconds


def measure(work: Path, method: str, report: str, seeds: list[int]) -> None:
    """Run a search for each seed, and print its figures next to their limits."""
    shares, ranks = [], []
    for seed in seeds:
        share, rank, seconds = run(work, method, report, seed)
        shares.append(share)
        ranks.append(rank)
        print(
            f"{method}, program {report}, seed {seed}: {share:.1%} of the epochs, "
            f"winner is number {rank}, {seconds:.0f} s"
        )
    if method == "asha":
        title = f"{method}, program {report}"
        verdict(f"{title}: epochs", 100 * max(shares), 25, "%")
        verdict(f"{title}: rank of the winner, median", median(ranks), 3, "")


def main() -> None:
    seeds = list(map(int, sys.argv[1:])) or [1, 2, 3]
    work = Path(tempfile.mkdtemp())
    try:
        for method in ("asha", "hyperband"):
            for report in REPORTS:
                measure(work, method, report, seeds)
    finally:
        protocol.stop_controller(work / "home")


if __name__ == "__main__":
    main()
