"""Cost of compiling grids from riseml.yml to JSON, in a new process and in one that has Hera loaded.

`import hera.workflows` is the floor of a process that compiles; the run script is what every job pays beyond `sh -c`.
"""

import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

from measure import compare, seconds, verdict

from riseml import manifest, planner
from riseml.compiler import compile_workflow, pod
from riseml.config import load_text
from riseml.plan import Origin, Target

PROCESS_BAR = 1.5  # seconds for 10,000 experiments, including imports
SCRIPT_BAR = 3.0  # milliseconds over `sh -c true`
COMPILE = """
import sys
from riseml import config, manifest, planner
from riseml.compiler import compile_workflow
from riseml.spec import Origin, Target
plan = planner.plan(config.load(sys.argv[1]).config)
sys.stdout.write(manifest.to_json(compile_workflow(plan, Origin("me", 1, "0" * 40), Target())))
"""


def grid(experiments: int) -> str:
    """Return a riseml.yml with three parameters and the given number of experiments."""
    return (
        "project: grid\ntrain:\n  image: python:3.12\n  resources: {cpus: 1, mem: 512}\n  concurrency: 2\n"
        "  parameters:\n    batch-size: [16, 32]\n    lr: [1e-4, 1e-3, 1e-2, 1e-1, 1]\n"
        f"    seed: {{range: {{min: 1, max: {experiments // 10}, step: 1}}}}\n"
        "  run: python fit.py --lr {{lr}} --batch {{batch-size}} --seed {{seed}}\n"
    )


def within(experiments: int) -> None:
    """Print the parts of compiling in a process that has everything loaded."""
    plan = planner.plan(load_text(grid(experiments)).config)
    times = [time.perf_counter()]
    document = compile_workflow(plan, Origin("me", 1, "0" * 40), Target())
    times.append(time.perf_counter())
    text = manifest.to_json(document)
    times.append(time.perf_counter())
    manifest.to_yaml(document)
    times.append(time.perf_counter())
    build, as_json, as_yaml = (
        1000 * (after - before) for before, after in pairwise(times)
    )
    size = len(text) / 1000
    print(
        f"{experiments:>6} experiments  compile {build:8.1f} ms",
        f"  json {as_json:6.1f}   yaml {as_yaml:7.1f}   {size:8.1f} kB",
    )


def script(work: Path) -> dict[str, list[str]]:
    """Return the commands `sh -c true` and the same as the run line of a job."""
    (work / ".riseml").mkdir()
    results = str(work / ".riseml/results.jsonl")
    os.environ.update(
        OUTPUT_DIR=str(work),
        RISEML_DIR=str(work),
        RESULT_FILE=results,
        RISEML_JOB="train",
    )
    os.environ.update(
        RISEML_ATTEMPT="0", RISEML_LOGGED="1", RISEML_CONFIGURATION="project: grid"
    )
    return {
        "sh -c true": ["sh", "-c", "true"],
        "run script: true": ["sh", "-c", *pod.arguments(["true"])],
    }


def main() -> None:
    """Print all figures."""
    within(10)
    for experiments in (10, 100, 1000, 10_000):
        within(experiments)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import hera.workflows": [sys.executable, "-c", "import hera.workflows"],
        }
        for experiments in (10, 1000, 10_000):
            file = work / f"{experiments}.yml"
            file.write_text(grid(experiments))
            commands[f"{experiments} experiments"] = [
                sys.executable,
                "-c",
                COMPILE,
                str(file),
            ]
        ratios = compare(commands, base="import hera.workflows", rounds=5)
        print(
            f"10,000 experiments: {ratios['10000 experiments'] / ratios['python -c pass']:.0f} times python -c pass"
        )
        begun = time.perf_counter()
        subprocess.run(
            commands["10000 experiments"], check=True, stdout=subprocess.DEVNULL
        )
        verdict(
            "10,000 experiments, whole process",
            time.perf_counter() - begun,
            PROCESS_BAR,
            "s",
        )
    with tempfile.TemporaryDirectory() as name:
        shell, job = script(Path(name)).values()
        compare(
            {"sh -c true": shell, "run script: true": job},
            base="sh -c true",
            rounds=200,
        )
        more = median(seconds(job) - seconds(shell) for _ in range(200))
        verdict("run script above sh -c true", 1000 * more, SCRIPT_BAR, "ms")


if __name__ == "__main__":
    main()
