"""Epochs that searches with early stops need, and how good their winners are, compared with the whole grid.

A toy problem of 64 configurations and 81 epochs, run by the local engine. Its curves cross: early ranks mislead.
Programs without added code are stopped by what they print, up to half a second late. The others ask at each report.
"""

import json
import math
import random
from collections.abc import Iterator

from lab import Lab, lab
from measure import Figure, absolute, main

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


def run(place: Lab, method: str, report: str, seed: int) -> tuple[float, int]:
    """Return the share of the grid's epochs in percent, and the true rank of the winner from 1."""
    losses, order = curves(seed)
    folder = place.project(f"{method}-{report}-{seed}", TRAIN.replace("METHOD", method))
    (folder / "curves.json").write_text(json.dumps(losses))
    (folder / "train.py").write_text(PROGRAM.replace("REPORT", REPORTS[report].strip()))
    number = place.train(folder)
    place.riseml("wait", number)
    rows = json.loads(place.riseml("results", number, "-o", "json"))["experiments"]
    (output,) = place.home.glob(f"output/*/toy/{number}")
    used = 0
    for log in output.glob("*/.riseml/logs/train.0.log"):
        used += sum(line.startswith("epoch ") for line in log.read_text().splitlines())
    for file in output.glob("*/.riseml/results.jsonl"):
        used += len(file.read_text().splitlines())
    (best,) = (row for row in rows if row["best"])
    share = 100 * used / (EPOCHS * len(losses))
    return share, order.index(int(best["parameters"]["cell"])) + 1


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the epochs and the rank of the winner for each method; a round is a seed."""
    with lab() as place:
        place.variables["RISEML_CPUS"] = "4"
        for method in ("asha", "hyperband"):
            for report in REPORTS:
                seeds = range(1, (rounds or 3) + 1)
                runs = [run(place, method, report, seed) for seed in seeds]
                shares, ranks = zip(*runs, strict=True)
                title = f"{method}, program {report}"
                limits = (25, 3) if method == "asha" else (None, None)
                yield absolute(f"{title}: epochs", shares, "%", limits[0])
                yield absolute(f"{title}: rank of the winner", ranks, "", limits[1])


if __name__ == "__main__":
    main(measure)
