"""A report about a large set: seconds, memory, and the size of its page.

100 experiments with 1,000 reports each, and 1,000 experiments with 100. The set is written
as one that has ended, and the list of runs is rebuilt from it.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from measure import said, verdict

from riseml.engines.local import protocol
from riseml.plan import Metric
from riseml.status import ExperimentStatus, SetStatus, State, data

RISEML = [sys.executable, "-m", "riseml"]
START = datetime(2026, 1, 1, tzinfo=UTC)


def ended_set(home: Path, count: int, reports: int) -> None:
    """Write the outputs and the record of a set."""
    folder = home / "output/me/curves/1"
    rng = random.Random(1)
    experiments = []
    for sub in range(1, count + 1):
        rate = 10 ** -rng.uniform(0, 4)
        hidden = folder / str(sub) / ".riseml"
        hidden.mkdir(parents=True)
        lines = []
        for step in range(1, reports + 1):
            loss = rate + rng.random() / step
            lines.append(json.dumps({"epoch": step, "loss": loss}) + "\n")
        (hidden / "results.jsonl").write_text("".join(lines))
        length = sum(map(len, lines))
        (hidden / "results.jsonl.times").write_text(
            f"{START.timestamp()} 0\n{START.timestamp() + 60} {length}\n"
        )
        experiments.append(
            ExperimentStatus(
                id=f"1.{sub}",
                sub=sub,
                state=State.FINISHED,
                parameters={
                    "lr": f"{rate:.3g}",
                    "opt": rng.choice(["adam", "sgd"]),
                    "hidden": str(rng.choice([16, 64])),
                },
                result={"loss": loss, "epoch": reports},
                created=START,
                started=START,
                finished=START + timedelta(seconds=60),
            )
        )
    run = SetStatus(
        id="1",
        name="curves-1",
        user="me",
        project="curves",
        number=1,
        is_set=True,
        state=State.FINISHED,
        created=START,
        started=START,
        finished=START + timedelta(seconds=60),
        counts={State.FINISHED: count},
        metrics=(Metric("loss", "min"),),
        experiments=tuple(experiments),
    )
    (folder / "run.json").write_text(json.dumps(data.to_data(run), default=data.encode))


def measure(count: int, reports: int) -> tuple[float, float, float]:
    """Return the seconds, the MB of memory, and the MB of the page of a report."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        ended_set(home, count, reports)
        home.chmod(0o700)
        said([*RISEML, "doctor", "--repair"], Path(name), home)
        environment = {**os.environ, "RISEML_HOME": str(home), "USER": "me"}
        begun = time.perf_counter()
        subprocess.run(
            [*RISEML, "report", "1"],
            cwd=name,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - begun
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        size = (Path(name) / "report-1.html").stat().st_size / 1e6
        protocol.stop_controller(home)
        return seconds, memory, size


def main() -> None:
    """Measure both shapes."""
    for count, reports in ((100, 1000), (1000, 100)):
        seconds, memory, size = measure(count, reports)
        print(
            f"{count} experiments of {reports} reports: {seconds:.1f} s, {memory:.0f} MB, page {size:.2f} MB"
        )
        verdict("wall time", seconds, 10, "s")
        verdict("memory", memory, 300, "MB")
        verdict("page", size, 7, "MB")


if __name__ == "__main__":
    main()
