"""Kills of runs that are interrupted: `riseml kill` takes effect on everything or on nothing.

train ──▶ jobs wait for a file     riseml kill ◀──kill -9── controller, launcher or the command
then      all are KILLED, or none is and all can finish
"""

import random
import time
from dataclasses import dataclass
from pathlib import Path

from riseml.engines.local import protocol
from riseml.engines.local.engine import LocalEngine
from riseml.errors import RiseMLError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State
from tests.storm import leftovers, report, victims
from tests.storm.clients import Clients, Done
from tests.storm.experiments import HEAD, Ledger
from tests.storm.report import Journal

_EXPERIMENTS = 6
_CONCURRENCY = 4
# The command needs some time before it reaches the controller.
_EARLIEST_SECONDS, _LATEST_SECONDS = 0.1, 0.6
# A kill that has reached nothing by now never will.
_QUIET_SECONDS = 4.0
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.05
_VICTIMS = {victims.CONTROLLER: 70, victims.LAUNCHER: 15, victims.CLIENT: 15}
_FILE = (
    HEAD
    + """\
  concurrency: {concurrency}
  run: |
    say() {{ echo "{token} $RISEML_EXPERIMENT 0 $1" >> {ledger}; }}
    trap 'say 143; exit 143' TERM
    say begin
    until [ -e {go} ]; do sleep 0.05; done
    say 0
"""
)


@dataclass(frozen=True)
class _Round:
    """One run, what is killed of it, and the file that lets its jobs finish."""

    token: str
    number: int
    sub: int | None
    go: Path

    @property
    def target(self) -> str:
        return str(Id(number=self.number, sub=self.sub))

    def is_target(self, experiment: ExperimentStatus) -> bool:
        return self.sub in (None, experiment.sub)


class InterruptedKills:
    """Rounds in a folder of its own; each kills one run and interrupts that."""

    def __init__(self, work: Path, rounds: int, seed: int) -> None:
        self.home = work / "home"
        self.journal = Journal()
        self._work, self._rounds = work, rounds
        self._random = random.Random(seed)
        self._clients = Clients(self.home)
        self._ledger = Ledger(work / "ledger")
        self._processes = victims.Processes(self.home)

    def run(self) -> Journal:
        """Run all rounds, and return what was wrong."""
        for index in range(self._rounds):
            self.journal.count("interrupted kills")
            self._run_round(f"t{index}")
        self.journal.defects += leftovers.of(self.home, self._clients, self._work)
        self.journal.write(self._work / "kills.jsonl")
        return self.journal

    def _run_round(self, token: str) -> None:
        current = self._start(token)
        words = ["kill", current.target]
        if self._random.random() < 0.25:
            words.append("-f")
        command = self._clients.start(words, self._work)
        time.sleep(self._random.uniform(_EARLIEST_SECONDS, _LATEST_SECONDS))
        self._interrupt()
        done = command.wait()
        # The user's next command, which starts a controller.
        self._clients.run(["status", str(current.number)], self._work, vulnerable=False)
        had_effect = self._await_effect(current)
        if not had_effect and done.status == 0:
            self.journal.defect(report.WRONG, current.target, f"{done}, without effect")
        current.go.touch()
        self._judge(current, self._await_end(current), done, had_effect=had_effect)

    def _start(self, token: str) -> _Round:
        folder = self._work / token
        folder.mkdir()
        go = folder.with_name(f"{token}-go")
        text = _FILE.format(
            token=token,
            count=_EXPERIMENTS,
            concurrency=_CONCURRENCY,
            ledger=self._ledger.path,
            go=go,
        )
        (folder / "riseml.yml").write_text(text, encoding="utf-8")
        done = self._clients.run(["train", "-o", "name"], folder, vulnerable=False)
        number = int(done.output)
        self._await_begun(number)
        sub = self._random.choice((None, None, 1, _CONCURRENCY, _EXPERIMENTS))
        return _Round(token, number, sub, go)

    def _await_begun(self, number: int) -> None:
        limit = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < limit:
            traces, _ = self._ledger.read()
            begun = [id_ for id_ in traces if id_.startswith(f"{number}.")]
            if len(begun) == _CONCURRENCY:
                return
            time.sleep(_POLL_SECONDS)
        self.journal.defect(report.LOST, str(number), "its jobs did not start")

    def _interrupt(self) -> None:
        (victim,) = self._random.choices([*_VICTIMS], [*_VICTIMS.values()])
        pids: dict[str, list[int]] = {
            victims.CONTROLLER: self._processes.controllers(),
            victims.LAUNCHER: self._processes.launchers(),
            victims.CLIENT: self._clients.running,
        }
        for pid in pids[victim]:
            kill = victims.kill(pid, victim, self.journal.seconds)
            if kill is not None:
                self.journal.killed(kill)
                return
        self.journal.count("interruptions that came too late")

    def _read(self, current: _Round) -> SetStatus:
        return LocalEngine(self.home, "me").read(Id(number=current.number))

    def _await_effect(self, current: _Round) -> bool:
        """Return whether the kill had an effect; wait until it is complete."""
        begun = time.monotonic()
        while time.monotonic() < begun + _PATIENCE_SECONDS:
            experiments = filter(current.is_target, self._read(current).experiments)
            ended = [experiment.state.is_terminal for experiment in experiments]
            if all(ended):
                return True
            is_reached = any(ended) or self._was_signalled(current)
            if not is_reached and time.monotonic() > begun + _QUIET_SECONDS:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _was_signalled(self, current: _Round) -> bool:
        traces, _ = self._ledger.read()
        prefix = f"{current.number}."
        signalled = [id_ for id_, trace in traces.items() if trace.ended.get(0) == 143]
        return any(id_.startswith(prefix) for id_ in signalled)

    def _await_end(self, current: _Round) -> SetStatus:
        limit = time.monotonic() + _PATIENCE_SECONDS
        run = self._read(current)
        while not run.state.is_terminal and time.monotonic() < limit:
            time.sleep(_POLL_SECONDS)
            try:
                protocol.ensure(self.home)
                run = self._read(current)
            except RiseMLError as error:
                self.journal.note(f"{current.target}: {error}")
        return run

    def _judge(
        self, current: _Round, run: SetStatus, done: Done, *, had_effect: bool
    ) -> None:
        """Compare the end of every experiment with what the kill should have done."""
        self.journal.count(
            "kills with effect" if had_effect else "kills without effect"
        )
        wrong = []
        for experiment in run.experiments:
            is_killed = had_effect and current.is_target(experiment)
            expected = State.KILLED if is_killed else State.FINISHED
            if experiment.state is not expected:
                wrong.append(f"{experiment.id} {experiment.state} {experiment.message}")
        if wrong:
            last = report.describe(self.journal.kills[-1:])
            evidence = f"`{done}`, {last}: {', '.join(wrong)}"
            self.journal.defect(report.HALF_DONE, current.target, evidence)
