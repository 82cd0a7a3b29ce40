"""A storm of kills: sets of experiments run while their processes are killed at random.

users ──train, wait──▶ home ◀──kill -9── storm ──▶ verdicts, leftovers
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from riseml.engines.local import protocol
from riseml.engines.local.engine import LocalEngine
from riseml.engines.local.store import Store
from riseml.ids import Id
from riseml.status import State
from tests.storm import leftovers, report, victims
from tests.storm.clients import Clients
from tests.storm.report import Journal
from tests.storm.verdicts import check_run
from tests.storm.workers import Claim, Users

# How likely each is the next victim.
_VICTIMS = {
    victims.CONTROLLER: 35,
    victims.LAUNCHER: 20,
    victims.CHILD: 10,
    victims.SUPERVISOR: 15,
    victims.CLIENT: 20,
}
_CHILD_SECONDS = 0.4
# A kill comes at a random moment within this time.
_JITTER_SECONDS = 0.15
# Without progress for so long, the next kill comes all the same.
_STALL_SECONDS = 3.0
_POLL_SECONDS = 0.02
_SETTLE_SECONDS = 90.0
_OUTCOMES = {State.FINISHED: 0, State.FAILED: 100}


@dataclass(frozen=True)
class Extent:
    """How large a storm is; the same seed makes the same choices."""

    experiments: int = 800
    kills: int = 300
    set_size: int = 20
    seed: int = 0
    victims: tuple[str, ...] = tuple(_VICTIMS)


class KillStorm:
    """One storm in a folder of its own: home, projects, and the ledger."""

    def __init__(self, work: Path, extent: Extent) -> None:
        self.home = work / "home"
        self.journal = Journal()
        self._work, self._extent = work, extent
        self._random = random.Random(extent.seed)
        self._clients = Clients(self.home)
        self._users = Users(work, self._clients, self.journal, extent.set_size)
        self._processes = victims.Processes(self.home)
        self._finders: dict[str, Callable[[], int | None]] = {
            victims.CONTROLLER: self._processes.controller,
            victims.LAUNCHER: lambda: self._any(self._processes.launchers()),
            victims.CHILD: self._child,
            victims.SUPERVISOR: lambda: self._any(self._processes.supervisors()),
            victims.CLIENT: lambda: self._any(self._clients.running),
        }
        self._kills_are_over = False

    def run(self) -> Journal:
        """Submit, kill, wait for the end of everything, and return what was wrong."""
        with ThreadPoolExecutor() as pool:
            users = self._users.start(pool, self._is_over)
            try:
                self._kill_all()
            finally:
                self._kills_are_over = True
            for user in users:
                user.result()
        self._settle()
        self._judge()
        self.journal.defects += leftovers.of(self.home, self._clients, self._work)
        self.journal.write(self._work / "kills.jsonl")
        return self.journal

    def _is_over(self) -> bool:
        begun = self._users.ledger.begun
        return self._kills_are_over and begun >= self._extent.experiments

    # Kill

    def _kill_all(self) -> None:
        for number in range(self._extent.kills):
            due = number * self._extent.experiments // self._extent.kills
            self._await_progress(due)
            time.sleep(self._random.uniform(0, _JITTER_SECONDS))
            while not self._kill():
                time.sleep(_POLL_SECONDS)

    def _await_progress(self, due: int) -> None:
        """Wait until so many experiments have begun, or nothing seems to happen."""
        limit = time.monotonic() + _STALL_SECONDS
        while self._users.ledger.begun < due and time.monotonic() < limit:
            time.sleep(_POLL_SECONDS)

    def _kill(self) -> bool:
        """Kill a process of some kind; return False if none was there."""
        kinds = self._extent.victims
        weights = [_VICTIMS[kind] for kind in kinds]
        (victim,) = self._random.choices(kinds, weights)
        pid = self._finders[victim]()
        if pid is None:
            return False
        kill = victims.kill(pid, victim, self.journal.seconds)
        if kill is None:
            return False
        self.journal.killed(kill)
        return True

    def _any(self, pids: list[int]) -> int | None:
        return self._random.choice(pids) if pids else None

    def _child(self) -> int | None:
        launcher = self._any(self._processes.launchers())
        if launcher is None:
            return None
        return self._processes.child(launcher, _CHILD_SECONDS)

    # Judge

    def _settle(self) -> None:
        """Wait until every run has ended, as long as there is progress."""
        limit = time.monotonic() + _SETTLE_SECONDS
        begun = 0
        while time.monotonic() < limit:
            # As the user's next command does.
            protocol.ensure(self.home)
            store = Store(self.home)
            unfinished = store.unfinished()
            store.close()
            if not unfinished:
                return
            if self._users.ledger.begun > begun:
                begun = self._users.ledger.begun
                limit = time.monotonic() + _SETTLE_SECONDS
            time.sleep(_POLL_SECONDS * 10)

    def _judge(self) -> None:
        traces, runs_begun = self._users.ledger.read()
        runs = self._runs_by_token()
        engine = LocalEngine(self.home, "me")
        for token, family in self._users.families.items():
            numbers = runs.get(token, [])
            self._check_claims(token, numbers)
            self.journal.count("sets", len(numbers))
            unknown = runs_begun.get(token, set()) - set(numbers)
            if unknown:
                self.journal.defect(report.LOST, token, f"no record of {unknown}")
            for number in numbers:
                run = engine.read(Id(number=number))
                self.journal.count("experiments", len(run.experiments))
                check_run(self.journal, family, run, traces)
                self._check_outcomes(token, run.id, run.state)

    def _runs_by_token(self) -> dict[str, list[int]]:
        """Return the runs that each token's riseml.yml has started."""
        store = Store(self.home)
        runs: dict[str, list[int]] = {}
        for row in store.runs(ended=True):
            number = row["number"]
            document = store.run(number)
            for token in self._users.families:
                if document and f'echo \\"{token} ' in document["document"]:
                    runs.setdefault(token, []).append(number)
        store.close()
        return runs

    def _claims(self, token: str) -> list[Claim]:
        return [claim for claim in self._users.claims if claim.token == token]

    def _check_claims(self, token: str, numbers: list[int]) -> None:
        if len(numbers) > 1:
            evidence = f"one `train` started the runs {numbers}"
            self.journal.defect(report.DUPLICATED, token, evidence)
        for claim in self._claims(token):
            if claim.number is not None and claim.number not in numbers:
                evidence = f"{claim.done}, but there is no run {claim.number}"
                self.journal.defect(report.LOST, token, evidence)

    def _check_outcomes(self, token: str, run_id: str, state: State) -> None:
        """Compare the ends of commands that followed a run with its state."""
        for claim in self._claims(token):
            if claim.number is None and claim.done.status != _OUTCOMES.get(state):
                evidence = f"{claim.done}, but it is {state}"
                self.journal.defect(report.WRONG, run_id, evidence)
