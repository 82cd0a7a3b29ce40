"""Time from pressing Enter to the first line of a job, with and without a running controller.

The job is a Python program that prints a line and then writes down the time. It is compared with the same program
alone, and a run without a controller (the first command of the day) with a one-step flow of Metaflow.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import peer_tools
from lab import Lab, lab
from measure import (
    RISEML,
    CannotMeasureError,
    Figure,
    environment,
    main,
    side_by_side,
)

from riseml.engines.local import protocol

JOB = """\
import time
print("first line", flush=True)
with open({mark!r}, "w") as file:
    file.write(str(time.time()) + "\\n")
"""
FLOW = """\
from metaflow import FlowSpec, step

class One(FlowSpec):
    @step
    def start(self):
        print("first line", flush=True)
        self.next(self.end)
    @step
    def end(self):
        pass

if __name__ == "__main__":
    One()
"""
# A job that fails prints none.
PATIENCE_SECONDS = 60
ALONE, METAFLOW = "python job.py", "metaflow run"


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield a row with the controller running, and one without."""
    python = peer_tools.metaflow()
    with lab() as place:
        mark = place.folder / "mark"
        project = place.one_job("first", f"{sys.executable} job.py")
        (project / "job.py").write_text(JOB.format(mark=str(mark)))
        (place.folder / "flow.py").write_text(FLOW)
        alone = [sys.executable, "job.py"]
        train = [*RISEML, "train"]

        def of_train() -> float:
            return until_mark(train, project, place)

        times = side_by_side(
            {ALONE: lambda: until_mark(alone, project, place), "train": of_train},
            base=ALONE,
            rounds=rounds or 11,
        )
        name = "Enter to first line, controller running"
        yield times["train"].figure(name, target=4.5)
        times = side_by_side(
            {
                METAFLOW: lambda: first_of_metaflow(python, place.folder),
                "train": without_controller(place, of_train),
            },
            base=METAFLOW,
            rounds=rounds or 7,
        )
        name = "Enter to first line, controller not running"
        yield times["train"].figure(name, target=1.0)


def without_controller(place: Lab, take: Callable[[], float]) -> Callable[[], float]:
    """Return a function that stops the controller, and then measures."""

    def stopped() -> float:
        protocol.stop_controller(place.home)
        return take()

    return stopped


def until_mark(command: list[str], project: Path, place: Lab) -> float:
    """Return the time from the start of a command until the job has printed its line."""
    mark = place.folder / "mark"
    mark.unlink(missing_ok=True)
    begun = time.time()
    subprocess.run(
        command, cwd=project, env=place.variables, check=True, capture_output=True
    )
    while not mark.exists() or not mark.read_text().endswith("\n"):
        if time.time() - begun > PATIENCE_SECONDS:
            log = place.riseml("logs", "--no-follow")
            message = f"the job has printed no line after {PATIENCE_SECONDS} s: {log}"
            raise CannotMeasureError(message)
        time.sleep(0.001)
    return float(mark.read_text()) - begun


def first_of_metaflow(python: Path, folder: Path) -> float:
    """Return the time until Metaflow prints the line."""
    variables = environment(folder)
    variables |= {"METAFLOW_HOME": str(folder), "USERNAME": "me"}
    begun = time.perf_counter()
    with subprocess.Popen(
        [str(python), "flow.py", "run"],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        seconds = 0.0
        for line in process.stdout:
            if not seconds and line.rstrip().endswith("first line"):
                seconds = time.perf_counter() - begun
    assert seconds, "the flow has printed no line"
    return seconds


if __name__ == "__main__":
    main(measure)
