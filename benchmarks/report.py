"""A report about a large set: seconds, memory, and the size of its page.

100 experiments with 1,000 reports each, and 1,000 experiments with 100. The set is written
as one that has ended, and the list of runs is rebuilt from it.
"""

import json
import random
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab import lab
from measure import Figure, absolute, main

from riseml.plan import Metric
from riseml.status import ExperimentStatus, SetStatus, State, data

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


def measure(_rounds: int | None = None) -> Iterator[Figure]:
    """Yield the seconds, the memory, and the size of the page of both shapes."""
    for count, reports in ((100, 1000), (1000, 100)):
        with lab() as place:
            ended_set(place.home, count, reports)
            place.home.chmod(0o700)
            place.riseml("doctor", "--repair")
            place.variables["USER"] = "me"
            begun = time.perf_counter()
            place.riseml("report", "1")
            seconds = time.perf_counter() - begun
            # The largest of all commands until now, which is this one.
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            size = (place.folder / "report-1.html").stat().st_size / 1e6
        shape = f"{count} experiments of {reports} points"
        yield absolute(f"`report` of {shape}", [seconds], "s", 10)
        yield absolute(f"`report` of {shape}: memory", [memory], "MB", 300)
        yield absolute(f"`report` of {shape}: page", [size], "MB", 7)


if __name__ == "__main__":
    main(measure)
