"""Run that has not ended: connects the interpreter, which decides, with the pods, which do the work.

WorkflowRun.apply(event) ── actions ──▶ ActiveRun ── StartPod, Stop ──▶ RunPods ──▶ processes
     ▲                                      │
     └── PodStarted, PodEnded ◀── queue ◀───┘ pid files, pidfds, exit files
"""

import time
from collections import deque
from collections.abc import Iterable

from riseml import labels
from riseml.engines.local import shard_keys
from riseml.engines.local.controller import kills
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.run_pods import RunPods
from riseml.engines.local.controller.run_record import RunRecord
from riseml.engines.local.controller.services import Services
from riseml.engines.local.controller.session_records import SessionRecords
from riseml.engines.local.controller.stored_run import replay, stored_document
from riseml.engines.local.interpreter import events
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.engines.local.jobs.pod_to_process import PodPreparer
from riseml.engines.local.serialize import Inherited
from riseml.engines.local.store import Store


class ActiveRun:
    """A run that has not ended, with its record and its pods."""

    def __init__(
        self,
        services: Services,
        run: WorkflowRun,
        record: RunRecord,
        preparer: PodPreparer,
    ) -> None:
        self._services = services
        self.key, self.run, self.record = record.key, run, record
        self.title = shard_keys.describe(record.key)
        sessions = SessionRecords(record.document, record.number)
        self.pods = RunPods(services, record.key, preparer, self.enqueue, sessions)
        self._queue: deque[events.Event] = deque()
        self._next_tick: float | None = None
        self._end_is_logged = False

    @classmethod
    def restore(cls, services: Services, key: int) -> "ActiveRun":
        """Continue a run of an earlier controller.

        Raises:
            DamagedError: its record cannot be read.
        """
        store = services.store
        row = store.run(key)
        # The store has just listed this key.
        assert row is not None  # noqa: S101
        try:
            document = stored_document(store, row)
            run = replay(store, key, document)
            record = RunRecord(services.layout, document, key)
            record.adopt(run)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise store.damaged(key, repr(error)) from error
        record.is_shared |= bool(store.shards(record.number))
        record.killed, record.shutdown = row["killed"], row["shutdown"]
        data = store.decode(key, row["environment"], "the environment")
        inherited = Inherited.from_data(data)
        preparer = services.preparer(key, record.folder, inherited, record.runner)
        active = cls(services, run, record, preparer)
        try:
            active._act(run.resume(time.time()))
        except Exception:
            active.pods.abandon()
            raise
        # An earlier controller may have been killed before it stopped them.
        active.pods.resume_stops(kills.targets(record.killed))
        return active

    def begin(self) -> None:
        """Start a run that was just submitted."""
        self._act(self.run.start(time.time()))

    def record_again(self, store: Store) -> None:
        """Write all that is known of the run into an empty database.

        Call it inside a transaction.
        """
        self.record.insert(store, self.pods.inherited)
        self.run.dirty.update(self.run.nodes)
        self.record.write(store, self.run)

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended, its pods are gone, and the database says so."""
        return self.run.ended and not self.pods and not self.is_dirty

    @property
    def is_dirty(self) -> bool:
        """Whether something has changed since the last commit."""
        return bool(self.run.dirty) or self.record.dirty

    def enqueue(self, event: events.Event) -> None:
        """Queue an event for the interpreter."""
        self._queue.append(event)

    def work(self) -> None:
        """Apply the queued events and their consequences, until the queue is empty."""
        while self._queue:
            event = self._queue.popleft()
            self._act(self.run.apply(event, time.time()))
        due = self.run.next_tick()
        if due is not None and due != self._next_tick:
            self._next_tick = due
            self._services.loop.after(max(0.0, due - time.time()), self._tick)

    def has(self, sub: int | None) -> bool:
        """Return whether the Workflow has an experiment; None stands for all of them."""
        return sub is None or sub in self.record.subs

    def stop(self, sub: int | None, *, force: bool) -> bool:
        """Kill the run or one of its experiments; return False if it had ended."""
        if sub is not None and self.record.has_ended(sub):
            return False
        target = kills.target_of(sub)
        logger.info("run %s: kill %s, force: %s", self.title, target, force)
        value = self.record.kill(target, time.time())
        self.enqueue(events.Annotated(labels.KILLED, value))
        if sub is None:
            self.record.shutdown = "Terminate"
            self.enqueue(events.Shutdown(self.record.shutdown))
        # The interpreter decides first, so that pods which wait are not started.
        self.work()
        self.pods.stop_all((target,), force=force)
        return True

    def after_commit(self) -> None:
        """Do what may only follow a commit: remove folders of pods, log the end."""
        self.run.dirty.clear()
        self.record.committed()
        self.pods.discard_obsolete()
        if not self.run.ended:
            return
        if not self._end_is_logged:
            self._end_is_logged = True
            logger.info("run %s: ended as %s", self.title, self.record.state)
        if not self.pods:
            self._services.remover.discard([self._services.layout.run(self.key)])

    def _tick(self) -> None:
        self._next_tick = None
        self.enqueue(events.Tick())

    def _act(self, actions: Iterable[events.Action]) -> None:
        for action in actions:
            match action:
                case events.StartPod():
                    self.pods.begin(action)
                case events.Stop():
                    self.pods.stop(action.node, action.grace)
                case events.Acquire():
                    self._acquire(action)
                case events.Release():
                    self._services.release_mutexes(self._key(action.node))

    def _acquire(self, action: events.Acquire) -> None:
        key = self._key(action.node)
        if self._services.mutexes.acquire(key, action.locks, held=action.held):
            self.enqueue(events.LockGranted(action.node))

    def _key(self, node: str) -> str:
        return self._services.pod_key(self.key, node)
