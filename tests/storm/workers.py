"""Users of a storm: each submits a set, waits for its end, and submits the next one."""

import itertools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from tests.storm import report
from tests.storm.clients import Clients, Done
from tests.storm.experiments import Family, Ledger
from tests.storm.report import Journal

_USERS = 3
_RETRIED_EVERY = 3
_PACES = 4
# The statuses with which commands report the outcome of a run.
_OUTCOMES = frozenset({0, 100})


@dataclass(frozen=True)
class Claim:
    """What a command said about the run of a token: its number, or its outcome."""

    token: str
    done: Done
    number: int | None = None


class Users:
    """Users that submit sets until `is_over` says that the storm has ended."""

    def __init__(
        self, work: Path, clients: Clients, journal: Journal, set_size: int
    ) -> None:
        self.ledger = Ledger(work / "ledger")
        self.families: dict[str, Family] = {}
        self.claims: list[Claim] = []
        self._folder = work / "projects"
        self._folder.mkdir(parents=True)
        self._clients, self._journal, self._set_size = clients, journal, set_size
        self._numbers = itertools.count()
        self._lock = Lock()

    def start(
        self, pool: ThreadPoolExecutor, is_over: Callable[[], bool]
    ) -> list[Future[None]]:
        """Let the users work in threads of a pool."""
        return [pool.submit(self._work, is_over) for _ in range(_USERS)]

    def _work(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            family = self._next_family()
            folder = self._folder / family.token
            family.write(folder, self.ledger.path)
            if family.follows:
                # It prints lines of the jobs, and ends with the run's outcome.
                self._claim(family, self._clients.run(["train", "-l"], folder))
            else:
                self._train_and_wait(family, folder)

    def _next_family(self) -> Family:
        with self._lock:
            number = next(self._numbers)
            family = Family(
                f"t{number}",
                self._set_size,
                retries=int(number % _RETRIED_EVERY == 0),
                pace=number % _PACES + 1,
            )
            self.families[family.token] = family
            return family

    def _train_and_wait(self, family: Family, folder: Path) -> None:
        done = self._clients.run(["train", "-o", "name"], folder)
        if done.status != 0:
            self._claim(family, done)
            return
        number = int(done.output)
        self.claims.append(Claim(family.token, done, number))
        done = self._clients.run(["wait", str(number)], folder)
        while done.was_killed:
            done = self._clients.run(["wait", str(number)], folder)
        self._claim(family, done)

    def _claim(self, family: Family, done: Done) -> None:
        """Keep what a command said at its end, unless the storm killed it."""
        if done.has_traceback:
            self._journal.defect(report.TRACEBACK, family.token, str(done))
        if done.was_killed:
            return
        if done.status in _OUTCOMES:
            self.claims.append(Claim(family.token, done))
            return
        # The user may have to try again, but must not be misled.
        self._journal.count("commands that gave up")
        self._journal.note(f"{family.token}: {done}")
