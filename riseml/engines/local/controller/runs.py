"""Active runs of a home: restored at the start, advanced, committed, stopped and deleted."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from riseml.engines.local import checkouts, marks, outputs, reserve, shard_keys
from riseml.engines.local.controller import kills, leftovers, memory, shared_rows
from riseml.engines.local.controller.active_run import ActiveRun
from riseml.engines.local.controller.database_guard import DatabaseGuard
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.loop import protect
from riseml.engines.local.controller.pod_starts import PodStarts
from riseml.engines.local.controller.services import Services
from riseml.engines.local.jobs import processes
from riseml.errors import (
    DamagedDatabaseError,
    DamagedError,
    DiskFullError,
    HomeError,
    NotFoundError,
    RiseMLError,
)

# Between samples of the logs and progress files of running jobs.
_SAMPLE_SECONDS = 1.0
_IDLE_SAMPLE_SECONDS = 60.0
_COMMIT_RETRY_SECONDS = 1.0
_RESTORE_RETRY_SECONDS = 30.0


class ActiveRuns:
    """The Workflows that have not ended, by key; `runs` is the mapping that `services` shares."""

    def __init__(self, services: Services, runs: dict[int, ActiveRun]) -> None:
        self._services, self._runs = services, runs
        # Whether the log of the database may contain environments of ended runs.
        self._keeps_environments = True
        self._guard = DatabaseGuard(services, runs)
        self._starts = PodStarts(services, runs)
        # The number of the sample that comes next
        self._next_sample = 0

    def __bool__(self) -> bool:
        return bool(self._runs)

    def restore(self) -> None:
        """Continue all runs that earlier controllers left, and begin to sample jobs."""
        for key in self._services.store.unfinished_keys():
            self._restore(key)
        self._discard_checkouts()
        self.end_leftovers()
        reserve.fill(self._services.layout.home)
        self._sample_after(_SAMPLE_SECONDS)

    def end_leftovers(self) -> None:
        """Remove what killed processes of this home have left."""
        # A run that is not restored yet keeps its folder.
        active = {*self._runs, *self._services.store.unfinished_keys()}
        leftovers.end(self._services, active)

    def begin(self, run: ActiveRun) -> None:
        """Start a Workflow that is on record."""
        if not self._runs:
            # An idle controller would not look at its logs for a minute.
            self._sample_after(_SAMPLE_SECONDS)
        first = self._runs.get(run.record.number)
        if first is not None and first is not run:
            first.record.is_shared = True
        self._runs[run.key] = run
        run.begin()

    def settle(self, *, is_awaited: bool = True) -> bool:
        """Start pods that may start, then commit; return whether the commit succeeded.

        If no command awaits it, a pod may start during the commit, and the next one
        records that it has started.
        """
        for run in list(self._runs.values()):
            run.work()
        self._starts.start(may_overlap=not is_awaited)
        try:
            is_committed = self._commits()
        finally:
            self._starts.finish()
        if not is_committed:
            self._services.loop.wake_after(_COMMIT_RETRY_SECONDS)
            return False
        for run in self._runs.values():
            run.pods.stops.signal()
        complete = [run for run in self._runs.values() if run.is_complete]
        for run in complete:
            del self._runs[run.key]
        if complete:
            self._discard_checkouts()
            self._keeps_environments = True
            self._release_memory(complete)
        return True

    def _release_memory(self, complete: Sequence[ActiveRun]) -> None:
        largest = max(run.record.experiment_count for run in complete)
        if largest >= memory.LARGE_SET:
            # By then, nothing refers to them any more.
            self._services.loop.after(0.0, memory.release)

    def _commits(self) -> bool:
        """Commit all changes; return whether it succeeded.

        If the database is damaged, it is replaced for the next attempt.
        """
        try:
            self._guard.check()
            self._commit()
        except DamagedDatabaseError as error:
            logger.error("commit failed: %s", error)
            protect(self._rebuild)
            return False
        except DiskFullError as error:
            logger.error("commit failed: %s", error)
            self._services.loop.wake_after(_COMMIT_RETRY_SECONDS)
            return self._note_kills()
        except HomeError as error:
            # Nothing may be announced before it can be recorded.
            logger.error("commit failed: %s", error)
            return False
        return True

    def _note_kills(self) -> bool:
        """Note kills that cannot be committed; return whether that succeeded.

        Jobs may then be stopped, which may be the only way to get space. A later
        controller knows that they were killed.
        """
        try:
            for key, run in self._runs.items():
                if run.record.dirty:
                    kills.note(self._services.layout.run(key), run.record.killed)
        except OSError as error:
            logger.error("kills cannot be noted: %s", error)
            return False
        return True

    def _enter_noted_kills(self, key: int) -> None:
        """Record the kills that an earlier controller could only note."""
        store, folder = self._services.store, self._services.layout.run(key)
        row = store.run(key)
        recorded = row["killed"] if row else ""
        killed = kills.with_notes(folder, recorded)
        if killed == recorded:
            return
        is_whole_run = kills.ALL in kills.targets(killed)
        shutdown = "Terminate" if is_whole_run else ""
        self._services.commit(
            lambda: store.update_run(key, killed=killed, shutdown=shutdown),
            last=True,
        )

    def _rebuild(self) -> None:
        self._guard.rebuild()

    def repair(self) -> list[str]:
        """Replace a damaged database; return what was done, in sentences.

        Raises:
            HomeError: the new one cannot be written.
        """
        return self._guard.rebuild()

    def check(self) -> None:
        """Do nothing but what follows every request: the database is put back."""

    def stop(
        self,
        number: int,
        sub: int | None = None,
        *,
        force: bool = False,
        again: bool = False,
    ) -> bool:
        """Kill a run or one of its experiments; return False if it had ended.

        With `again`, an earlier controller may have killed it before it could answer.

        Raises:
            NotFoundError: there is no such run.
        """
        active = self._workflows_of(number)
        stopped = [run.stop(sub, force=force) for run in active if run.has(sub)]
        if any(stopped):
            return True
        self._check_exists(number)
        return again and self._was_killed(number, sub)

    def delete(self, number: int, *, again: bool = False) -> bool:
        """Delete the record of an ended run; return False if its last processes remain.

        Such processes (a TensorBoard) have no part in the run's state, and end soon. With
        `again`, an earlier controller may have deleted it before it could answer.

        Raises:
            NotFoundError: there is no such run.
            RiseMLError: the run has not ended.
        """
        active = self._workflows_of(number)
        if not all(run.run.ended for run in active):
            raise RiseMLError(
                f"run {number} has not ended",
                f"Stop it with `riseml kill {number}`, then try again.",
            )
        if active:
            return False
        if again and self._services.store.summary(number) is None:
            return True
        self._check_exists(number)
        store = self._services.store
        keys = (number, *store.shards(number))
        self._services.commit(lambda: store.delete_run(number), last=True)
        for folder in map(self._services.layout.run, keys):
            if folder.exists():
                self._services.remover.discard([leftovers.rename(folder)])
        logger.info("run %d: deleted", number)
        return True

    def _workflows_of(self, number: int) -> list[ActiveRun]:
        """Return the Workflows of a run that have not ended."""
        active = self._runs.values()
        return [run for run in active if run.record.number == number]

    def mark(
        self, number: int, marked: Mapping[str, Any], *, again: bool = False
    ) -> None:
        """Replace the marks of a run, also in its run.json if it has ended.

        To do it `again` changes nothing.

        Raises:
            NotFoundError: there is no such run.
        """
        del again
        self._check_exists(number)
        store, layout = self._services.store, self._services.layout
        self._services.commit(lambda: store.put_marks(number, marked), last=True)
        row = store.summary(number)
        if row is None or not row["ended"]:
            return
        folder = layout.output(row["user"], row["project"], number)
        try:
            marks.write_to_archive(folder / outputs.ARCHIVE, marked)
        except (OSError, ValueError) as error:
            # The database has the marks.
            logger.error("run %d: run.json: %s", number, error)

    def _was_killed(self, number: int, sub: int | None) -> bool:
        store = self._services.store
        rows = map(store.run, (number, *store.shards(number)))
        killed = ",".join(row["killed"] for row in rows if row is not None)
        return kills.target_of(sub) in kills.targets(killed)

    def _check_exists(self, number: int) -> None:
        if self._services.store.run(number) is None:
            raise NotFoundError(
                f"there is no run {number}", "`riseml status -a` lists all runs."
            )

    def _commit(self) -> None:
        changed = [run for run in self._runs.values() if run.is_dirty]
        if not changed:
            return

        def write() -> None:
            for run in changed:
                run.record.write(self._services.store, run.run)

        # Killed jobs use no more space, and may free some.
        is_last = any(run.record.killed for run in changed)
        self._services.commit(write, last=is_last)
        for run in changed:
            run.after_commit()

    def _discard_checkouts(self) -> None:
        """Remove shared checkouts that no run uses any more."""
        unfinished = self._services.store.unfinished_keys()
        if not self._runs.keys() >= set(unfinished):
            # A run that is not restored yet may use any of them.
            return
        used = [run.record.code for run in self._runs.values()]
        home = self._services.layout.home
        self._services.remover.discard(checkouts.take_unused(home, used))

    def _restore(self, key: int) -> None:
        """Continue a run; give up a damaged one, and retry one that fails otherwise."""
        try:
            self._enter_noted_kills(key)
            self._runs[key] = ActiveRun.restore(self._services, key)
        except DamagedError:
            logger.exception(
                "run %s: damaged, it ends as FAILED", shard_keys.describe(key)
            )
            self._give_up(key)
        except Exception:  # noqa: BLE001
            # Other runs must continue.
            logger.exception("run %s: cannot be restored yet", shard_keys.describe(key))
            self._services.loop.after(
                _RESTORE_RETRY_SECONDS, lambda: self._restore(key)
            )
        else:
            logger.info("run %s: restored", shard_keys.describe(key))

    def _give_up(self, key: int) -> None:
        """End the processes of a damaged run, and record it as failed."""
        folder = self._services.layout.run(key)
        for pod_folder in folder.glob("*"):
            processes.sweep(self._services.pod_key(key, pod_folder.name))
        self._services.remover.discard([folder])

        store, number = self._services.store, shard_keys.number_of(key)

        def write() -> None:
            if key != number:
                # Its experiments are again as they were before.
                store.delete_workflow(key)
                shared_rows.write_again(store, number)
                return
            store.update_run(
                key,
                ended=1,
                state="FAILED",
                finished=time.time(),
                environment="{}",
            )

        self._services.commit(write)

    def _sample_after(self, seconds: float) -> None:
        """Sample after some seconds, instead of when it was planned before."""
        self._next_sample += 1
        number = self._next_sample
        self._services.loop.after(seconds, lambda: self._sample(number))

    def _sample(self, number: int) -> None:
        if number != self._next_sample:
            return
        for run in self._runs.values():
            run.pods.sample()
        self._services.usage.sample()
        reserve.fill(self._services.layout.home)
        if self._keeps_environments:
            self._keeps_environments = not self._services.store.empty_log()
        is_idle = not self._runs and not self._keeps_environments
        pause = _IDLE_SAMPLE_SECONDS if is_idle else _SAMPLE_SECONDS
        self._sample_after(pause)
