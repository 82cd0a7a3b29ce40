"""Pods of one run: adopted or started, watched until their last process is gone, stopped.

    waiting ── the machine has room ──▶ running ── supervisor ends ──▶ removed
                     ▲                     │
                     └──── port lost ◀─────┘   the whole gang restarts once, with other ports

A pod's folder is named after its node, and its `pid` and `exit` files are written before
anything learns of them. So what has happened is always on disk, and no pod starts twice.
"""

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from riseml import labels
from riseml.engines.local.controller import (
    container_ends,
    failure_records,
    kills,
    networks,
    pod_exit,
    pod_samples,
    returns,
    workdirs,
)
from riseml.engines.local.controller.gangs import Gangs, waiting_pod
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.pod_preparation import PodPreparation
from riseml.engines.local.controller.services import Services
from riseml.engines.local.controller.session_records import SessionRecords
from riseml.engines.local.controller.stops import PodStops
from riseml.engines.local.interpreter import events
from riseml.engines.local.jobs import launcher, processes
from riseml.engines.local.jobs.pod import Pod, gpus_of
from riseml.engines.local.jobs.pod_resources import resources
from riseml.engines.local.jobs.pod_to_process import (
    PodPreparer,
)
from riseml.engines.local.serialize import Inherited
from riseml.engines.local.shard_keys import describe
from riseml.errors import RiseMLError
from riseml.gpus import Gpu

# Time to exit for the healthy pods of a gang that restarts.
_RESTART_GRACE_SECONDS = 5.0


class RunPods:
    """The pods of one run that are not gone; `report` hands events to its interpreter."""

    def __init__(
        self,
        services: Services,
        key: int,
        preparer: PodPreparer,
        report: Callable[[events.Event], None],
        sessions: SessionRecords,
    ) -> None:
        self._services, self._key, self._id = services, key, describe(key)
        self._preparer, self._report = preparer, report
        self._folder = services.layout.run(key)
        self._gangs = Gangs(self._folder, services.ports)
        self._preparation = PodPreparation(services, preparer, self._gangs, sessions)
        self._workdirs = workdirs.WorkdirKeeper(services.loop)
        self._pods: dict[str, Pod] = {}
        self.stops = PodStops(self._pods, services.loop)
        # Folders that may go once the database records the end of their pods.
        self._obsolete_folders: list[Path] = []

    def __bool__(self) -> bool:
        return bool(self._pods)

    @property
    def inherited(self) -> Inherited:
        """What jobs inherit from the command that started the run."""
        return self._preparer.inherited

    # Start

    def begin(self, action: events.StartPod) -> None:
        """Adopt a pod that has started before; else queue it for the machine."""
        key = self._services.pod_key(self._key, action.node)
        directory = self._services.layout.job(self._key, action.node)
        pod = waiting_pod(key, directory, action)
        self._pods[key] = pod
        record = launcher.read_pid(directory)
        if record is not None:
            self._adopt(pod, *record)
        elif not action.started:
            self._queue(pod)
        elif returns.is_vacated(directory):
            self._report(events.PodReturned(pod.node))
            self._queue(pod)
        else:
            # It may not run twice, and how it ended is unknown.
            self._remove(pod)
            self._report(pod_exit.vanished(pod))

    def start(self, key: str, gpus: tuple[Gpu, ...]) -> None:
        """Start the processes of a pod for which the machine has room.

        Raises:
            LaunchError: the machine cannot start it now; `return_to_queue` lets it wait.
        """
        if self.begin_start(key, gpus):
            self.finish_start(key)

    def begin_start(self, key: str, gpus: tuple[Gpu, ...]) -> bool:
        """Begin to start a pod; return whether `finish_start` has to follow."""
        pod = self._pods[key]
        try:
            self._services.launcher.begin(self._prepare(pod, gpus))
        except (RiseMLError, OSError) as error:
            self._fail(pod, error)
            return False
        return True

    def finish_start(self, key: str) -> None:
        """Wait until a pod has started whose start has begun.

        Raises:
            LaunchError: as `start`.
        """
        pod = self._pods[key]
        try:
            pod.pid = self._services.launcher.finish()
        except launcher.LaunchError as error:
            logger.warning("run %s: %s cannot start now: %s", self._id, pod.node, error)
            raise
        except (RiseMLError, OSError) as error:
            self._fail(pod, error)
            return
        logger.info("run %s: pod %s started, pid %d", self._id, pod.node, pod.pid)
        self._report(events.PodStarted(pod.node))
        self._watch(pod)

    def _prepare(self, pod: Pod, gpus: tuple[Gpu, ...]) -> launcher.ProcessSpec:
        """Make the folders of a pod, and return its processes."""
        return self._preparation.prepare(pod, gpus, self._obsolete_folders)

    def _fail(self, pod: Pod, error: Exception) -> None:
        logger.warning("run %s: pod %s: %s", self._id, pod.node, error)
        self._remove(pod)
        self._report(pod_exit.not_started(pod, error))

    def explain_wait(self, key: str, reason: str) -> None:
        """Report why a pod has to wait."""
        pod = self._pods[key]
        if pod.waits_for != reason:
            pod.waits_for = reason
            self._report(events.PodPending(pod.node, reason))

    def return_to_queue(self, key: str) -> None:
        """Let a pod wait that the machine had room for, but that was not started."""
        pod = self._pods[key]
        self._release(pod)
        self._obsolete_folders += returns.vacate(pod)
        pod.waits_for = ""
        self._queue(pod)
        if any(peer.pid for peer in self._gang(pod)):
            # Its peers have started, and wait for it.
            self._services.machine.prefer([key])

    def _queue(self, pod: Pod) -> None:
        """Queue a pod for the machine; the jobs of an experiment start together."""
        self._services.machine.add(
            pod.key,
            resources(pod.action.template),
            gang=f"{self._key}.{pod.gang}" if pod.experiment else "",
            run_prefix=self._services.pod_key(self._key, ""),
            cpus=self._preparer.cpus,
        )

    def _adopt(self, pod: Pod, pid: int, start_time: int, boot: str) -> None:
        """Watch a pod that an earlier controller has started, or report its end."""
        self._gangs.adopt(pod.gang)
        prepared = self._preparer.prepare(pod.action, pod.key, (), begun=True)
        pod.set_prepared(prepared)
        self._services.machine.add_running(
            pod.key,
            resources(pod.action.template),
            gpus_of(pod.directory),
            self._preparer.cpus,
        )
        pod.pid = pid
        self._report(events.PodStarted(pod.node, launcher.read_started(pod.directory)))
        if processes.alive(pid, start_time, boot):
            self._watch(pod)
        elif boot == processes.boot_id():
            self._end(pod, pod_exit.SUPERVISOR_KILLED)
        else:
            self._end(pod, pod_exit.MACHINE_RESTARTED)

    def _watch(self, pod: Pod) -> None:
        """Wait for the end of a pod's supervisor."""
        self._services.usage.begin(pod)
        pidfd = processes.pidfd(pod.pid)
        if pidfd is None:
            self._services.loop.poll(
                lambda: processes.exists(pod.pid), lambda: self._end(pod)
            )
            return
        pod.pidfd = pidfd
        self._services.loop.on_readable(pidfd, lambda: self._end(pod))

    # End

    def _end(self, pod: Pod, reason: str = pod_exit.SUPERVISOR_KILLED) -> None:
        """Report the end of a pod once none of its processes is left.

        `reason` applies if its supervisor could not record how it ended.
        """
        exit_ = launcher.read_exit(pod.directory)
        is_swept = exit_ is not None and exit_.swept
        # After a restart of the machine no process can be left.
        if not is_swept and reason != pod_exit.MACHINE_RESTARTED:
            processes.sweep(pod.key)
        self._unwatch(pod)
        container_ends.complete(
            pod, self._services.loop, lambda: self._finish(pod, exit_, reason)
        )

    def _finish(self, pod: Pod, exit_: launcher.Exit | None, reason: str) -> None:
        """Report the end of a pod whose log is complete, or restart it or its gang."""
        if exit_ is None and returns.is_possible(pod, reason):
            self._return(pod)
            return
        event = self._end_event(pod, exit_, reason)
        if pod.restarting:
            self._await_gang(pod)
            return
        logger.info(
            "run %s: pod %s ended, status %s", self._id, pod.node, event.exit_code
        )
        pod.keeps_workdir = True
        self._workdirs.keep(pod, lambda: self._report_end(pod, event))

    def _return(self, pod: Pod) -> None:
        logger.warning("run %s: pod %s has not begun", self._id, pod.node)
        pod.returns += 1
        pod.pid = 0
        self._report(events.PodReturned(pod.node))
        self.return_to_queue(pod.key)

    def _report_end(self, pod: Pod, event: events.PodEnded) -> None:
        used = self._services.usage.end(pod)
        notes = {labels.WORKDIR: workdirs.note(pod), labels.USAGE: used}
        self._remove(pod)
        self._report(pod_exit.noted(event, notes))

    def _end_event(
        self, pod: Pod, exit_: launcher.Exit | None, reason: str
    ) -> events.PodEnded:
        if exit_ is None:
            return pod_exit.lost(pod, reason)
        # Only a job's own program can fail for a port, and only if nothing stopped it.
        has_failed = exit_.status != 0 and exit_.step == launcher.MAIN
        if has_failed and pod.experiment and not (pod.stopping or pod.restarting):
            failure_records.record(
                pod, lambda: self._environment(pod), self._services.masked
            )
            port_loss = self._handle_port_loss(pod)
            if port_loss:
                return pod_exit.lost_port(pod, exit_, port_loss)
        return pod_exit.exited(pod, exit_)

    def _environment(self, pod: Pod) -> Mapping[str, str]:
        """Return the environment of a pod's main command, without secrets."""
        prepared = self._preparer.prepare(pod.action, pod.key, (), begun=True)
        return prepared.spec.main.env

    def _remove(self, pod: Pod) -> None:
        self._release(pod)
        del self._pods[pod.key]
        self._obsolete_folders.append(pod.directory)
        if not self._gang(pod):
            self._gangs.remove(pod.gang)

    def _release(self, pod: Pod) -> None:
        """Stop watching a pod, and free its resources."""
        self._unwatch(pod)
        self._sample(pod)
        self._services.machine.remove(pod.key)
        self._services.limits.release(pod)

    def _unwatch(self, pod: Pod) -> None:
        if pod.pidfd >= 0:
            self._services.loop.ignore(pod.pidfd)
            os.close(pod.pidfd)
            pod.pidfd = -1

    # Ports that another program took first

    def _handle_port_loss(self, pod: Pod) -> str:
        """Restart the gang of a failed pod if a port is lost; the second time, say so.

        The result is empty if the pod failed for another reason, or restarts.
        """
        if networks.is_isolated(pod.action.template):
            # Nobody else can take a port there.
            return ""
        gang = self._gang(pod)
        address = self._gangs.lost_address(pod.gang, [peer.key for peer in gang])
        if not address:
            return ""
        if not self._gangs.renew(pod.gang):
            return f"another program uses the port chosen for {address}, for the second time"
        logger.warning(
            "run %s: the port for %s is lost, the gang restarts", self._id, address
        )
        for peer in gang:
            peer.restarting = True
            if peer.pid and peer is not pod:
                self.stop(peer.node, _RESTART_GRACE_SECONDS)
        return ""

    def _await_gang(self, pod: Pod) -> None:
        """Clean up after a stopped pod; queue its gang once all of its pods are gone."""
        self._release(pod)
        self._obsolete_folders += returns.vacate(pod)
        pod.pid = 0
        gang = self._gang(pod)
        if any(peer.pid for peer in gang):
            return
        # The pods met in this folder, and shall not take the earlier start for theirs.
        shutil.rmtree(pod.log.parent.with_name("gang"), ignore_errors=True)
        for peer in gang:
            peer.restarting = peer.stopping = False
            self._queue(peer)

    def _gang(self, pod: Pod) -> list[Pod]:
        return [peer for peer in self._pods.values() if peer.gang == pod.gang]

    # Stop

    def stop(self, node: str, grace_seconds: float = launcher.GRACE) -> None:
        """Stop the pod of a node, if there is one; 0 seconds of grace kill it at once.

        No process gets a signal before `stops.signal`.
        """
        pod = self._pods.get(self._services.pod_key(self._key, node))
        if pod is None or pod.keeps_workdir:
            return
        if not pod.pid:
            self._remove(pod)
            self._report(pod_exit.deleted(pod))
        elif grace_seconds == 0 or not pod.stopping:
            self.stops.add(pod, grace_seconds)

    def stop_all(self, targets: Collection[str], *, force: bool) -> None:
        """Stop all pods of the killed targets, as the run's record names them."""
        for pod in self._pods_of(targets):
            if force:
                pod.mark_forced()
            self._stop_killed(pod)

    def resume_stops(self, targets: Collection[str]) -> None:
        """Stop all pods that an earlier controller was about to stop, in the same way."""
        for pod in self._pods_of(targets):
            pod.read_forced()
            self._stop_killed(pod)

    def _stop_killed(self, pod: Pod) -> None:
        self.stop(pod.node, 0.0 if pod.is_forced else launcher.GRACE)

    def _pods_of(self, targets: Collection[str]) -> list[Pod]:
        pods = list(self._pods.values())
        if kills.ALL in targets:
            return pods
        return [pod for pod in pods if pod.experiment in targets]

    def abandon(self) -> None:
        """Stop watching the pods; their processes continue, and can be adopted later."""
        for pod in list(self._pods.values()):
            self._remove(pod)
        self._obsolete_folders.clear()

    # Record

    def sample(self) -> None:
        """Record the length of all logs, and report new progress of jobs."""
        for pod in self._pods.values():
            self._sample(pod)

    def _sample(self, pod: Pod) -> None:
        pod_samples.index_log(pod)
        if pod_samples.has_new_progress(pod):
            self._report(events.PodProgressed(pod.node, pod.progress))

    def discard_obsolete(self) -> None:
        """Remove the folders of ended pods; call it after their end is committed."""
        if self._obsolete_folders:
            self._services.remover.discard(self._obsolete_folders)
            self._obsolete_folders = []
