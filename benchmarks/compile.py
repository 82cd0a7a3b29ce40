"""Compiling a riseml.yml to JSON, compared with the import of Hera; and the run script of every job."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import RISEML, Command, Figure, absolute, main, sample, side_by_side

from riseml.compiler import pod

BASE = "python: import hera.workflows"
SIZES = {1: ("a small file", 0.5), 1_000: ("1,000 experiments", None)}
SIZES[10_000] = ("10,000 experiments", 1.0)
# Milliseconds over `sh -c true`.
SCRIPT_TARGET = 3.0
GRID = """\
project: grid
train:
  image: python:3.12
  resources: {{cpus: 1, mem: 512}}
  concurrency: 2
  parameters:
    batch-size: [16, 32]
    lr: [1e-4, 1e-3, 1e-2, 1e-1, 1]
    seed: {{range: {{min: 1, max: {seeds}, step: 1}}}}
  run: python fit.py --lr {{{{lr}}}} --batch {{{{batch-size}}}} --seed {{{{seed}}}}
"""
SMALL = """\
project: small
train:
  image: python:3.12
  resources: {cpus: 1, mem: 512}
  run: python fit.py
"""


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield a row for each size, and one for the run script."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        commands: dict[str, Command] = {
            BASE: [sys.executable, "-c", "import hera.workflows"]
        }
        for experiments, (size, _) in SIZES.items():
            file = work / f"{experiments}.yml"
            seeds = experiments // 10
            file.write_text(GRID.format(seeds=seeds) if seeds else SMALL)
            output = ["-o", str(work / "workflow.json")]
            commands[size] = [*RISEML, "compile", "-f", str(file), *output]
        times = side_by_side(commands, base=BASE, rounds=rounds or 9)
        for size, target in SIZES.values():
            yield times[size].figure(f"`compile` of {size} (JSON)", target)
        yield _run_script(work, rounds or 100)


def _run_script(work: Path, rounds: int) -> Figure:
    """Return what the run line of a job takes more than a plain shell."""
    (work / ".riseml").mkdir()
    variables = {
        "OUTPUT_DIR": str(work),
        "RISEML_DIR": str(work),
        "RESULT_FILE": str(work / ".riseml/results.jsonl"),
        "RISEML_JOB": "train",
        "RISEML_ATTEMPT": "0",
        "RISEML_LOGGED": "1",
        "RISEML_CONFIGURATION": "project: grid",
    }
    environment = {**os.environ, **variables}
    shell, job = ["sh", "-c", "true"], ["sh", "-c", *pod.arguments(["true"])]
    differences = []
    for _ in range(rounds):
        plain = sample(shell, env=environment).seconds
        differences.append(1000 * (sample(job, env=environment).seconds - plain))
    return absolute("run script above `sh -c true`", differences, "ms", SCRIPT_TARGET)


if __name__ == "__main__":
    main(measure)
