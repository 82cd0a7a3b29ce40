"""Stops of pods: decided first, then committed, and only then signalled.

    stop ──▶ add ──▶ commit ──▶ signal ──▶ TERM ── grace ──▶ KILL

A controller that is killed before the commit has stopped nothing. One that is killed
later leaves a record from which the next one stops the others.
"""

from collections import deque
from collections.abc import Mapping

from riseml.engines.local.controller.loop import EventLoop
from riseml.engines.local.jobs import processes
from riseml.engines.local.jobs.pod import Pod


class PodStops:
    """Stops of the pods of one run, of which `pods` has those that are not gone."""

    def __init__(self, pods: Mapping[str, Pod], loop: EventLoop) -> None:
        self._pods, self._loop = pods, loop
        self._waiting: deque[tuple[Pod, float]] = deque()

    def add(self, pod: Pod, grace_seconds: float) -> None:
        """Stop a pod at the next `signal`; 0 seconds of grace kill it at once."""
        pod.stopping = True
        self._waiting.append((pod, grace_seconds))

    def signal(self) -> None:
        """Signal the pods that are to stop; call it after that is committed."""
        while self._waiting:
            pod, grace_seconds = self._waiting.popleft()
            self._signal(pod, pod.pid, grace_seconds)

    def _signal(self, pod: Pod, pid: int, grace_seconds: float) -> None:
        if grace_seconds == 0:
            self._kill(pod, pid)
        elif self._runs_as(pod, pid):
            processes.terminate(pid, pod.key)
            self._loop.after(grace_seconds, lambda: self._kill(pod, pid))

    def _kill(self, pod: Pod, pid: int) -> None:
        if self._runs_as(pod, pid):
            processes.sweep(pod.key, {pid}, supervisor=pid)

    def _runs_as(self, pod: Pod, pid: int) -> bool:
        """Return whether a pod's processes may still be those of a supervisor.

        A pod that has started again has another one, which must not get the signals of
        the first.
        """
        runs = pod.key in self._pods and not pod.keeps_workdir
        return runs and pod.pid == pid > 0
