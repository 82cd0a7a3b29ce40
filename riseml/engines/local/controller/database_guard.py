"""Guard of the database while a controller uses it: it may be deleted, replaced or overwritten.

    another file or none at its path ──▶ copy of the open one ─────────────┐
    a commit fails for damage ─────────▶ run.json files, and active runs ──┴──▶ riseml.db

The controller knows its active runs, so it loses none of them. A file that has taken the
place of the database is kept aside. If its lock is gone as well, the whole home was removed, and
the controller exits: another one may serve a new home at the same path.
"""

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

from riseml.engines.local import rebuild, shard_keys
from riseml.engines.local.controller.active_run import ActiveRun
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.services import Services
from riseml.engines.local.rebuild import Restored
from riseml.engines.local.replacement import faults_of_file, replace_database
from riseml.engines.local.store import Store
from riseml.errors import DamagedDatabaseError, HomeError


class DatabaseGuard:
    """Guard of a home's database; `runs` are the active ones by key."""

    def __init__(self, services: Services, runs: dict[int, ActiveRun]) -> None:
        self._services, self._runs = services, runs
        self._home = services.layout.home
        self._lock = _identity(self._home)

    def check(self) -> list[str]:
        """Put the database back if it is not at its path any more; return what was done.

        Raises:
            HomeError: it cannot be written there, or the home was removed.
        """
        store = self._services.store
        if store.is_in_place():
            return []
        if self._runs and not self._home.exists():
            # Its file system may come back.
            return []
        if _identity(self._home) != self._lock:
            os.kill(os.getpid(), signal.SIGTERM)
            # Nothing is recorded, started or announced any more.
            raise HomeError(
                f"{self._home} was removed, so its controller exits",
                "Try again: a new controller starts.",
            )
        logger.error("%s was deleted or replaced: it is written again", store.path)
        try:
            return self._replace(self._copy)
        except DamagedDatabaseError:
            logger.exception("the open database cannot be copied")
            return self._replace(self._restore)

    def rebuild(self) -> list[str]:
        """Replace a damaged database; return what was done, in sentences.

        Raises:
            HomeError: the new one cannot be written.
        """
        return self.check() or self._replace(self._restore)

    def _replace(self, fill: Callable[[Store], Restored]) -> list[str]:
        done = replace_database(self._home, fill)
        self._services.store.reopen()
        logger.warning(" ".join(done))
        return done

    def _copy(self, new: Store) -> Restored:
        self._services.store.copy_to(new.path)
        faults = faults_of_file(new)
        if faults:
            raise DamagedDatabaseError(f"{new.path}: {faults[0]}")
        return Restored()

    def _restore(self, new: Store) -> Restored:
        # A further Workflow of a run needs the row of that, which may come from its run.json.
        first = [run for key, run in self._runs.items() if key > 0]
        further = [run for key, run in self._runs.items() if key < 0]
        self._record(new, first)
        restored = rebuild.restore(new, self._home)
        self._record(new, further)
        restored.continued = sorted(set(map(shard_keys.number_of, self._runs)))
        return restored

    def _record(self, new: Store, runs: Iterable[ActiveRun]) -> None:
        with new.transaction():
            for run in runs:
                run.record_again(new)


def _identity(home: Path) -> tuple[int, int] | None:
    """Return device and number of the lock at the path, None if there is none."""
    try:
        status = (home / "controller.lock").stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
