"""A disk that fills while a set runs: all commands work, and everything is readable afterwards.

The home is a small tmpfs, so this needs a mount namespace: `unshare --mount`, as root or
with `--map-root-user`.
"""

import os
import random
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

from riseml.engines.local import protocol
from riseml.engines.local.engine import LocalEngine
from riseml.errors import RiseMLError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State
from tests.storm import report, victims
from tests.storm.clients import Clients
from tests.storm.experiments import HEAD, Ledger, Traces
from tests.storm.report import Journal

_SIZE = "16m"
_EXPERIMENTS = 4
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.05
# The status of a job that could not write to its output folder.
_NO_OUTPUT = 73
_FILE = (
    HEAD
    + """\
  concurrency: 2
  run: |
    say() {{ echo "{token} $RISEML_EXPERIMENT 0 $1" >> {ledger}; }}
    say begin
    until [ -e {go} ]; do sleep 0.05; done
    echo line || :
    say 0
"""
)


def command(arguments: list[str]) -> list[str]:
    """Return a command with which these run in a mount namespace of their own."""
    mapped = [] if os.getuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *mapped, *arguments]


class FullDisks:
    """Rounds on one tmpfs; each fills it and frees it again."""

    def __init__(self, work: Path, rounds: int, seed: int) -> None:
        self.home = work / "home"
        self.home.mkdir(mode=0o700)
        self.journal = Journal()
        self._work, self._rounds = work, rounds
        self._random = random.Random(seed)
        self._clients = Clients(self.home)
        self._ledger = Ledger(work / "ledger")
        self._processes = victims.Processes(self.home)
        self._runs: dict[int, bool] = {}

    def run(self) -> Journal:
        """Run all rounds, and return what was wrong."""
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=700", "none"]
        subprocess.run([*mount, str(self.home)], check=True)
        for index in range(self._rounds):
            self.journal.count("full disks")
            self._run_round(f"t{index}")
        self._read_all()
        protocol.stop_controller(self.home)
        self.journal.write(self._work / "kills.jsonl")
        if not self.journal.defects:
            subprocess.run(["umount", "-l", str(self.home)], check=True)
        return self.journal

    def _run_round(self, token: str) -> None:
        number, go = self._start(token)
        time.sleep(self._random.uniform(0, 0.5))
        filler = self._fill()
        is_killed = self._random.random() < 0.5
        if self._random.random() < 0.3:
            self._kill_controller()
        self._use_all_commands(number, is_killed=is_killed)
        go.touch()
        if not is_killed:
            time.sleep(self._random.uniform(0, 1))
        filler.unlink()
        self._runs[number] = is_killed
        run = self._await_end(number)
        self._judge(run, is_killed=is_killed)

    def _start(self, token: str) -> tuple[int, Path]:
        folder = self._work / token
        folder.mkdir()
        go = self._work / f"{token}-go"
        text = _FILE.format(
            token=token, count=_EXPERIMENTS, ledger=self._ledger.path, go=go
        )
        (folder / "riseml.yml").write_text(text, encoding="utf-8")
        done = self._clients.run(["train", "-o", "name"], folder)
        return int(done.output), go

    def _fill(self) -> Path:
        filler = self.home / "output" / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass
        return filler

    def _kill_controller(self) -> None:
        for pid in self._processes.controllers():
            kill = victims.kill(pid, victims.CONTROLLER, self.journal.seconds)
            if kill:
                self.journal.killed(kill)

    def _use_all_commands(self, number: int, *, is_killed: bool) -> None:
        """Use every command that has to work although the disk is full."""
        commands = [["status", "-a"], ["status", str(number)]]
        ended = list(self._runs)
        if ended:
            commands += [["logs", str(ended[-1])], ["results", str(ended[-1])]]
        commands.append(["prune", "--older-than", "365d", "-y"])
        if is_killed:
            commands.append(["kill", str(number)])
        self._random.shuffle(commands)
        if len(ended) > 2:
            # Deletion frees space, and others shall not profit from it.
            commands.append(["delete", str(ended[0]), "-y"])
            del self._runs[ended[0]]
        for words in commands:
            done = self._clients.run(words, self._work)
            self.journal.count("commands on a full disk")
            if done.has_traceback:
                self.journal.defect(report.TRACEBACK, f"run {number}", str(done))
            if done.status != 0:
                self.journal.defect(report.WRONG, f"run {number}", str(done))

    def _await_end(self, number: int) -> SetStatus:
        limit = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < limit:
            with suppress(RiseMLError):
                protocol.ensure(self.home)
                run = LocalEngine(self.home, "me").read(Id(number=number))
                if run.state.is_terminal:
                    return run
            time.sleep(_POLL_SECONDS)
        return LocalEngine(self.home, "me").read(Id(number=number))

    def _judge(self, run: SetStatus, *, is_killed: bool) -> None:
        traces, _ = self._ledger.read()
        for experiment in run.experiments:
            trace = traces.get(experiment.id, Traces())
            if is_killed:
                is_right = experiment.state is State.KILLED
            else:
                is_right = _is_true(experiment, trace)
            if not is_right:
                evidence = f"{experiment.state} ({experiment.message}), began {trace.begun}, ended {trace.ended}"
                self.journal.defect(report.WRONG, experiment.id, evidence)

    def _read_all(self) -> None:
        """Read every run in every way, and check the database."""
        for number in self._runs:
            for words in (["status", "-o", "json"], ["logs"], ["results"], ["why"]):
                done = self._clients.run([*words, str(number)], self._work)
                if done.status != 0:
                    self.journal.defect(report.UNREADABLE, str(number), str(done))
        with closing(sqlite3.connect(self.home / "riseml.db")) as database:
            (answer,) = database.execute("PRAGMA integrity_check").fetchone()
        if answer != "ok":
            self.journal.defect(report.UNREADABLE, "riseml.db", str(answer))


def _is_true(experiment: ExperimentStatus, trace: Traces) -> bool:
    """Return whether a state tells what the job did, once, or could not do."""
    if experiment.state is State.FINISHED:
        return trace.begun == [0] and trace.ended == {0: 0}
    has_no_room = experiment.exit_code == _NO_OUTPUT or "space" in experiment.message
    return experiment.state is State.FAILED and has_no_room and not trace.ended
