"""Checks of RiseML on a machine with a GPU; `gpu.sh` installs what they need and runs them.

Each prints its figure and `ok`, `MISSED`, or `skipped`. The jobs are the programs of `gpu_jobs`, or those of the
same names in the folder of `--programs`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from riseml.gpus import Gpu
from riseml.gpus.detection import examine

RATIO = 0.32
ROUNDS = 5
LIMIT_SECONDS = 300
CONFIG = """project: gpu-checks
train:
  resources: {{cpus: 1, mem: 1000, gpus: {gpus}}}
  parameters: {{number: [{numbers}]}}
  run: python {program}.py
  {option}
"""
IDLE_SECONDS = 8


class Machine:
    """A home and a project in which the jobs of the checks run, on the first GPU only."""

    def __init__(self, riseml: str, work: Path, programs: Path) -> None:
        self._riseml, self._project = riseml, work / "project"
        shutil.copytree(programs, self._project)
        self.meeting = work / "meeting"
        self.meeting.mkdir()
        self._environment = {
            **os.environ,
            "RISEML_HOME": str(work / "home"),
            "MEETING": str(self.meeting),
            "NO_COLOR": "1",
            # The controller exits soon after the last job.
            "RISEML_IDLE": "1",
        }
        self.seen: list[int] = []

    def restrict(self, gpu: Gpu) -> None:
        """Let all jobs use one GPU only."""
        self._environment["CUDA_VISIBLE_DEVICES"] = gpu.id

    def riseml(self, *arguments: str) -> str:
        """Return what a command prints; its exit status does not matter."""
        result = subprocess.run(
            [self._riseml, *arguments],
            cwd=self._project,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout + result.stderr

    def train(self, program: str, gpus: str, count: int = 1, option: str = "") -> str:
        """Start experiments with a further line of riseml.yml, and return the id of their run."""
        numbers = ", ".join(map(str, range(count)))
        config = CONFIG.format(
            gpus=gpus, numbers=numbers, program=program, option=option
        )
        (self._project / "riseml.yml").write_text(config)
        text = self.riseml("train", "-o", "name")
        number = text.split()[0] if text else ""
        if not number.isdecimal():
            raise SystemExit(f"riseml train failed: {text}")
        return number

    def finish(self, run: str) -> str:
        """Wait for the end of a run, and return its log."""
        self.riseml("wait", run)
        return self.log(run)

    def log(self, run: str) -> str:
        """Return the log of a run, and count the cards that its jobs saw."""
        text = self.riseml("logs", run, "--no-follow")
        for line in text.splitlines():
            words = line.rpartition("|")[2].split()
            if words[:1] == ["devices"]:
                self.seen.append(int(words[1]))
        return text

    def await_line(self, run: str, word: str, seconds: float = 60.0) -> bool:
        """Wait until the log of a run contains a word, or the run has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if word in self.riseml("logs", run, "--no-follow"):
                return True
            if "RUNNING" not in (status := self.riseml("status", run)) and (
                "PENDING" not in status
            ):
                return False
            time.sleep(0.1)
        return False


class Report:
    """Lines with the figures of the checks."""

    def __init__(self) -> None:
        self.missed = 0

    def add(self, name: str, figure: str, *, good: bool) -> None:
        """Print the figure of a check."""
        self.missed += not good
        print(f"{'ok     ' if good else 'MISSED '} {name}: {figure}", flush=True)

    def skip(self, name: str, reason: str) -> None:
        """Print why a check is not made."""
        print(f"skipped {name}: {reason}", flush=True)


def detection(report: Report, gpus: tuple[Gpu, ...], means: str) -> None:
    query = ["nvidia-smi", "--query-gpu=index,uuid,memory.total,mig.mode.current"]
    result = subprocess.run(
        [*query, "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split(", ") for line in result.stdout.splitlines()]
    listed = {
        (int(row[0]), row[1], int(row[2]) >> 8) for row in rows if row[3] != "Enabled"
    }
    detected = {
        (gpu.index, gpu.id, gpu.mem >> 28)
        for gpu in gpus
        if not gpu.id.startswith("MIG-")
    }
    figure = (
        f"{len(detected & listed)} of {len(listed)} cards of nvidia-smi, by {means}"
    )
    report.add("detection", figure, good=detected == listed)


def own_card(report: Report, machine: Machine, gpu: Gpu) -> None:
    log = machine.finish(machine.train("devices", "1"))
    number = gpu.id.removeprefix("GPU-").removeprefix("MIG-")
    good = f"devices 1 {number}" in log
    report.add("a job sees exactly its card", gpu.id if good else log, good=good)
    none = machine.train("devices", "0")
    machine.riseml("wait", none)
    # It has no card, so it does not count below.
    log = machine.riseml("logs", none, "--no-follow")
    good = "devices 0" in log
    report.add("a job without GPUs sees none", "0 cards" if good else log, good=good)


def sharing(report: Report, machine: Machine) -> None:
    seconds = {}
    done = 0
    for gpus in ("1", "0.25"):
        begun = time.monotonic()
        log = machine.finish(machine.train("training", gpus, 4))
        seconds[gpus] = time.monotonic() - begun
        done += log.count("done")
    ratio = seconds["0.25"] / seconds["1"]
    figure = (
        f"{seconds['0.25']:.1f} s with gpus: 0.25, {seconds['1']:.1f} s with gpus: 1,"
        f" ratio {ratio:.2f} (limit {RATIO}), {done} of 8 finished"
    )
    good = ratio <= RATIO and done == 8
    report.add("four small training jobs", figure, good=good)


def two_of_jax(report: Report, machine: Machine) -> None:
    log = machine.finish(machine.train("jax_start", "0.5", 2))
    count = log.count("done")
    figure = f"{count} of 2 ran at the same time"
    report.add("two JAX jobs at once", figure, good=count == 2)


def memory_of_killed(report: Report, machine: Machine, rounds: int = ROUNDS) -> None:
    run = machine.train("memory", "1")
    ready = machine.await_line(run, "ready")
    got = 0
    pauses = []
    for _ in range(rounds):
        following = machine.train("memory", "1")
        time.sleep(1.0)
        begun = time.monotonic()
        machine.riseml("kill", run)
        machine.log(run)
        run = following
        if machine.await_line(run, "ready"):
            got += 1
            pauses.append(time.monotonic() - begun)
    machine.riseml("kill", run)
    machine.log(run)
    longest = f", after {max(pauses):.1f} s at most" if pauses else ""
    figure = f"{got} of {rounds} jobs got the memory of the killed one{longest}"
    report.add("90 % of the memory", figure, good=ready and got == rounds)


def idle_card(report: Report, machine: Machine) -> None:
    option = f"idle_timeout: {IDLE_SECONDS}s"
    waiting = machine.train("waiting", "1", option=option)
    begun = time.monotonic()
    machine.riseml("wait", waiting, "--timeout", f"{5 * IDLE_SECONDS}s")
    seconds = time.monotonic() - begun
    status = machine.riseml("status", f"{waiting}.1")
    is_stopped = "FAILED" in status and "IDLE" in status
    machine.riseml("kill", waiting)
    busy = machine.train("memory", "1", option=option)
    ready = machine.await_line(busy, "ready")
    time.sleep(2 * IDLE_SECONDS)
    continues = "RUNNING" in machine.riseml("status", f"{busy}.1")
    machine.riseml("kill", busy)
    machine.log(waiting)
    machine.log(busy)
    figure = (
        f"one that waits {'ended as IDLE' if is_stopped else 'did not'} after {seconds:.0f} s,"
        f" one that computes {'continued' if continues else 'did not continue'}"
    )
    good = is_stopped and ready and continues
    report.add(f"jobs with {option}", figure, good=good)


def has_module(name: str) -> bool:
    command = ["python", "-c", f"import {name}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--riseml", default="riseml")
    parser.add_argument("--work", type=Path, required=True)
    folder = Path(__file__).with_name("gpu_jobs")
    parser.add_argument("--programs", type=Path, default=folder)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    begun = time.monotonic()
    found = examine(os.environ)
    print("\n".join(found.problems))
    if not found.gpus:
        print("MISSED  detection: there is no GPU")
        return 1
    report = Report()
    machine = Machine(arguments.riseml, arguments.work, arguments.programs)
    detection(report, found.gpus, " and ".join(found.means))
    machine.restrict(found.gpus[0])
    own_card(report, machine, found.gpus[0])
    killed = partial(memory_of_killed, rounds=arguments.rounds)
    checks: list[tuple[str, str, Callable[[Report, Machine], None]]] = [
        ("four small training jobs", "torch", sharing),
        ("two JAX jobs at once", "jax", two_of_jax),
        ("90 % of the memory", "ctypes", killed),
        ("jobs with an idle_timeout", "ctypes", idle_card),
    ]
    for name, module, check in checks:
        if has_module(module):
            check(report, machine)
        else:
            report.skip(name, f"there is no {module}")
    most = max(machine.seen, default=0)
    figure = f"{most} at most, in {len(machine.seen)} jobs"
    report.add("cards that an experiment sees", figure, good=most == 1)
    seconds = time.monotonic() - begun
    figure = f"{seconds:.0f} s (limit {LIMIT_SECONDS})"
    report.add("time of all checks", figure, good=seconds <= LIMIT_SECONDS)
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
