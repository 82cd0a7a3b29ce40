"""One run while it has not ended: between the interpreter, which decides, and the processes, which do.

    WorkflowRun.apply(event) ── actions ──▶ ActiveRun ── ProcessSpec, TERM, KILL ──▶ processes
         ▲                              │
         └── PodStarted, PodEnded ◀─────┘ pid files, pidfds, exit files

A pod's folder is named after its node, and its `pid` and `exit` files are written before anybody is told. So what has
happened is always on disk, and a node is launched only where its folder shows that it was not.
"""

import os
import selectors
import shutil
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import labels
from riseml.engines.local.controller.gangs import Gangs, gang_of
from riseml.engines.local.controller.run_record import Journal
from riseml.engines.local.interpreter import events
from riseml.engines.local.interpreter.node import ERROR, FAILED
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.engines.local.jobs import launcher, processes
from riseml.engines.local.jobs.pod import (
    Pod,
    container_names,
    gpus_of,
    make_folders,
    read_outputs,
)
from riseml.engines.local.jobs.pod_to_process import (
    PodPreparer,
    experiment_number,
    resources,
)
from riseml.engines.local.store import Store
from riseml.errors import RiseMLError

if TYPE_CHECKING:
    from riseml.engines.local.controller.loop import Controller

# Seconds that the peers have which are started again
_BRIEF = 5.0
_LOST, _RESTARTED = "the job's supervisor was killed", "machine restarted"
# Seconds by which the clock of files may lag: an end after a kill must not look like one before it
_COARSE = 0.005


class ActiveRun:
    """A run that has not ended, and its pods."""

    def __init__(
        self,
        controller: "Controller",
        number: int,
        run: WorkflowRun,
        journal: Journal,
        pods: PodPreparer,
    ) -> None:
        self.controller, self.number, self.run, self.journal, self._pods = (
            controller,
            number,
            run,
            journal,
            pods,
        )
        self.place = controller.place
        self.pods: dict[str, Pod] = {}
        self._gangs = Gangs(self.place.run(number), controller.ports)
        self._queue: deque[events.Event] = deque()
        self._finished: list[Path] = []
        self._tick: float | None = None

    @classmethod
    def restore(cls, controller: "Controller", number: int) -> "ActiveRun":
        """Take up a run that an earlier controller left.

        Raises:
            HomeError: its record is damaged.
        """
        row = controller.store.run(number)
        # Its number was just read
        assert row is not None  # noqa: S101
        document = controller.store.decode(number, row["document"], "the document")
        document["metadata"].setdefault("annotations", {})[labels.KILLED] = row[
            "killed"
        ]
        try:
            run = WorkflowRun.restore(
                document, _uid(document), controller.store.nodes(number)
            )
            journal = controller.submitter.restored(document, number)
            journal.known(run)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise controller.store.damaged(number, repr(error)) from error
        base = controller.store.decode(number, row["environment"], "the environment")
        pods = PodPreparer(
            controller.place,
            number,
            journal.archive.parent,
            base,
            controller.submitter.secrets,
        )
        active = cls(controller, number, run, journal, pods)
        journal.killed, journal.shutdown = row["killed"], row["shutdown"]
        try:
            active._act(run.resume(time.time()))
        except Exception:
            active.let_go()
            raise
        if row["shutdown"]:
            active.tell(events.Shutdown(row["shutdown"]))
        return active

    def let_go(self) -> None:
        """Stop looking after the pods: what of them runs goes on, to be taken up another time."""
        for pod in list(self.pods.values()):
            self._forget(pod)
        self._finished.clear()

    def begin(self) -> None:
        """Start a run that was just submitted."""
        self._act(self.run.start(time.time()))

    @property
    def ended(self) -> bool:
        """Whether the run is over and on record."""
        return self.run.ended and not self.pods and not self.dirty

    @property
    def dirty(self) -> bool:
        """Whether something has changed since the last commit."""
        return bool(self.run.dirty) or self.journal.dirty

    def tell(self, event: events.Event) -> None:
        """Queue an event for the interpreter."""
        self._queue.append(event)

    def work(self) -> None:
        """Apply what was told, and do what the interpreter asks for, until it asks for nothing more."""
        while self._queue:
            self._act(self.run.apply(self._queue.popleft(), time.time()))
        due = self.run.next_tick()
        if due is not None and due != self._tick:
            self._tick = due
            self.controller.after(max(0.0, due - time.time()), self._ticked)

    def _ticked(self) -> None:
        self._tick = None
        self.tell(events.Tick())

    def _act(self, actions: Iterable[events.Action]) -> None:
        for action in actions:
            match action:
                case events.StartPod():
                    self._launch(action)
                case events.Stop():
                    self._stop_pod(action.node, action.grace)
                case events.Acquire():
                    if self.controller.locks.acquire(
                        self._key(action.node), action.locks, held=action.held
                    ):
                        self.tell(events.LockGranted(action.node))
                case events.Release():
                    for key in self.controller.locks.release(self._key(action.node)):
                        self.controller.owner(key).tell(
                            events.LockGranted(key.split(":", 2)[2])
                        )

    # Launch

    def _key(self, node: str) -> str:
        return self.controller.key(self.number, node)

    def _launch(self, action: events.StartPod) -> None:
        """Take up a pod that runs already or has ended, else queue it for room on the machine."""
        key, directory = (
            self._key(action.node),
            self.place.job(self.number, action.node),
        )
        pod = Pod(
            key,
            action.node,
            experiment_number(action.template),
            container_names(action.template),
            {},
            directory,
            directory / "log",
            action,
            gang_of(action.template, action.attempt),
        )
        self.pods[key] = pod
        found = launcher.read_pid(directory)
        if found is None and action.started:
            self._lost(pod)
            return
        if found is None:
            self._ask(pod)
            return
        self._gangs.hold(pod.gang)
        pending = self._pods.prepare(action, key, (), begun=True)
        pod.outputs, pod.log, pod.engine_steps = (
            pending.outputs,
            pending.log,
            pending.engine_steps,
        )
        self.controller.admission.hold(
            key, resources(action.template), gpus_of(directory)
        )
        self._watch(pod, *found)

    def _ask(self, pod: Pod) -> None:
        """Queue a pod for room; the jobs of an experiment get theirs together."""
        gang = f"{self.number}.{pod.gang}" if pod.experiment else ""
        self.controller.admission.ask(
            pod.key, resources(pod.action.template), gang, run=self._key("")
        )

    def launch(self, key: str, gpus: tuple[str, ...]) -> None:
        """Start the processes of a pod that was admitted."""
        pod = self.pods[key]
        try:
            action = pod.action._replace(
                template=self._gangs.placed(pod.gang, pod.action.template)
            )
            pending = self._pods.prepare(action, key, gpus)
            pod.outputs, pod.log, pod.engine_steps = (
                pending.outputs,
                pending.log,
                pending.engine_steps,
            )
            make_folders(pending, gpus)
            pod.pid = self.controller.launcher.start(pending.spec)
        except (RiseMLError, OSError) as error:
            self._fail(pod, error)
            return
        self.tell(events.PodStarted(pod.node))
        self._follow(pod)

    def _watch(self, pod: Pod, pid: int, start: int, boot: str) -> None:
        """Take up a pod that an earlier controller started."""
        pod.pid = pid
        self.tell(events.PodStarted(pod.node, launcher.read_started(pod.directory)))
        if processes.alive(pid, start, boot):
            self._follow(pod)
        else:
            self._gone(pod, _LOST if boot == processes.boot_id() else _RESTARTED)

    def _lost(self, pod: Pod) -> None:
        """End a pod that had begun and whose folder is gone: nobody knows how it ended, and it may not run twice."""
        self._forget(pod)
        self.tell(
            events.PodEnded(pod.node, None, message="its folder is gone", phase=ERROR)
        )

    def _follow(self, pod: Pod) -> None:
        """Hear of the end of a pod's supervisor."""
        pidfd = processes.pidfd(pod.pid)
        if pidfd is None:
            self.controller.poll(
                lambda: processes.exists(pod.pid), lambda: self._gone(pod)
            )
            return
        pod.pidfd = pidfd
        self.controller.selector.register(
            pidfd, selectors.EVENT_READ, lambda: self._gone(pod)
        )

    def _fail(self, pod: Pod, error: Exception) -> None:
        """End a pod that could not be started: the platform's fault, said in its message."""
        self._forget(pod)
        self.tell(
            events.PodEnded(
                pod.node, None, message=f"could not start: {error}", phase=ERROR
            )
        )

    # End

    def _gone(self, pod: Pod, lost: str = "") -> None:
        """Record the end of a pod once nothing of it is left."""
        end = launcher.read_exit(pod.directory)
        if (end is None or not end.swept) and lost != _RESTARTED:
            processes.sweep(pod.key)
        stolen = self._stolen(pod, end)
        if pod.restarting:
            self._begin_again(pod)
            return
        self._forget(pod)
        if stolen:
            self.tell(
                events.PodEnded(
                    pod.node, end and end.status, message=stolen, phase=FAILED
                )
            )
            return
        if end is None:
            self.tell(
                events.PodEnded(pod.node, None, message=lost or _LOST, phase=FAILED)
            )
            return
        init, main = pod.containers
        container = (
            main
            if end.step == launcher.MAIN
            else ("code", *init)[end.step - pod.engine_steps + 1]
        )
        self.tell(
            events.PodEnded(
                pod.node,
                end.status,
                container=container,
                message=events.DEADLINE if end.deadline else "",
                phase=FAILED if end.deadline else None,
                outputs=dict(read_outputs(pod.outputs)),
                at=None if pod.stopping else end.time + _COARSE,
            )
        )

    def _forget(self, pod: Pod) -> None:
        self._release(pod)
        del self.pods[pod.key]
        self._finished.append(pod.directory)
        if not any(other.gang == pod.gang for other in self.pods.values()):
            self._gangs.leave(pod.gang)

    def _release(self, pod: Pod) -> None:
        if pod.pidfd >= 0:
            self.controller.selector.unregister(pod.pidfd)
            os.close(pod.pidfd)
            pod.pidfd = -1
        self._sample(pod)
        self.controller.admission.leave(pod.key)

    # A port that somebody else was faster to take

    def _stolen(self, pod: Pod, end: launcher.Exit | None) -> str:
        """Say so where a pod has failed because a port of its gang is somebody else's; the first time, begin again."""
        if (
            not pod.experiment
            or pod.stopping
            or pod.restarting
            or end is None
            or not end.status
            or end.step != launcher.MAIN
        ):
            return ""
        gang = [other for other in self.pods.values() if other.gang == pod.gang]
        word = self._gangs.stolen(pod.gang, [other.key for other in gang])
        if not word:
            return ""
        if not self._gangs.renew(pod.gang):
            return f"another program listens at the port that stands for {word}, the second time"
        for other in gang:
            other.restarting = True
            if other.pid and other is not pod:
                self._stop_pod(other.node, _BRIEF)
        return ""

    def _begin_again(self, pod: Pod) -> None:
        """Take the last traces of a stopped pod away, and queue its gang once all of them are gone."""
        self._release(pod)
        trash = pod.directory.with_name(f"{pod.directory.name}.gone")
        pod.directory.rename(trash)
        self._finished.append(trash)
        pod.pid = 0
        gang = [other for other in self.pods.values() if other.gang == pod.gang]
        if any(other.pid for other in gang):
            return
        shutil.rmtree(
            pod.log.parent.with_name("gang"), ignore_errors=True
        )  # where they had met
        for other in gang:
            other.restarting = other.stopping = False
            self._ask(other)

    # Stop

    def stop(self, sub: int | None, *, force: bool) -> bool:
        """Kill the run or one of its experiments; False where that has ended already."""
        if sub is not None and self.journal.ended(sub):
            return False
        value = self.journal.kill("*" if sub is None else str(sub), time.time())
        self.tell(events.Annotated(labels.KILLED, value))
        if sub is None:
            self.journal.shutdown = "Terminate"
            self.tell(events.Shutdown("Terminate"))
        self.work()
        for pod in [
            pod
            for pod in self.pods.values()
            if sub is None or pod.experiment == str(sub)
        ]:
            self._stop_pod(pod.node, 0.0 if force else None)
        return True

    def _stop_pod(self, node: str, grace: float | None = None) -> None:
        pod = self.pods.get(self._key(node))
        if pod is None:
            return
        if not pod.pid:
            self._forget(pod)
            self.tell(events.PodEnded(node, None, message="pod deleted", phase=ERROR))
        elif grace == 0:
            self._sweep(pod)
        elif not pod.stopping:
            pod.stopping = True
            processes.terminate(pod.pid, pod.key)
            self.controller.after(
                launcher.GRACE if grace is None else grace, lambda: self._sweep(pod)
            )

    def _sweep(self, pod: Pod) -> None:
        if pod.key in self.pods:
            processes.sweep(pod.key, {pod.pid}, since=pod.pid)

    # Record

    def pulse(self) -> None:
        """Look at what running jobs have written since the last look."""
        for pod in self.pods.values():
            self._sample(pod)

    def _sample(self, pod: Pod) -> None:
        self.journal.sample(pod)
        if (
            pod.progress
            and (node := self.run.nodes.get(pod.node))
            and node.progress != pod.progress
        ):
            self.tell(events.PodProgressed(pod.node, pod.progress))

    def waits(self, key: str, reason: str) -> None:
        """Say what a pod waits for."""
        pod = self.pods[key]
        if pod.waits_for != reason:
            pod.waits_for = reason
            self.tell(events.PodPending(pod.node, reason))

    def write(self, store: Store) -> None:
        """Write what changed; inside a transaction."""
        self.journal.write(store, self.run)

    def committed(self) -> None:
        """Do what may only follow a commit: drop the folders of ended pods, and close an ended run."""
        self.run.dirty.clear()
        self.journal.dirty = False
        if self._finished:
            self.controller.discard(self._finished)
            self._finished = []
        if self.run.ended and not self.pods:
            self.controller.discard([self.place.run(self.number)])


def _uid(document: Mapping[str, Any]) -> str:
    uid: str = document["metadata"]["uid"]
    return uid
