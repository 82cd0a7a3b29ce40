"""Access to a running job on a cluster: commands in its pod, connections to its ports."""

import socket
import time

from riseml.cluster import port_forward
from riseml.cluster.api import Api, Object, path
from riseml.connections import listening_ports
from riseml.engines.access import Command, Outcome, status_of
from riseml.engines.argo import pod_command
from riseml.engines.argo.pod_command import JobPod
from riseml.engines.argo.pods import node_id_of
from riseml.engines.argo.workflows import names_of, pod_selector
from riseml.errors import NotFoundError, RiseMLError, UnreachableError
from riseml.status import JobStatus, SetStatus, State

# The kubelet reports the end of a container within this time.
_REPORT_SECONDS = 3.0
_PAUSE_SECONDS = 0.3
# Each check of the pod is a request to the API server.
_CHECK_SECONDS = 5.0
_KILLED = status_of(-9)


class PodAccess:
    """A running job on a cluster."""

    shares_network = False

    def __init__(self, job: JobStatus, pod: JobPod) -> None:
        self._id, self._pod = job.id, pod
        self._checked_at = time.monotonic()

    def run(self, command: Command) -> Outcome:
        """Run a command in the job until it ends, or the job does."""
        try:
            status = pod_command.run(self._pod, command)
        except UnreachableError:
            # With its container, the connection ends in any way.
            if self._has_ended_by_now():
                return Outcome(_KILLED, job_ended=True)
            raise
        is_killed = status == _KILLED
        return Outcome(status, job_ended=is_killed and self._has_ended_by_now())

    def remark(self, port: int) -> str:
        """Return what keeps the job from answering at a port; "" if nothing does."""
        script = "cat /proc/net/tcp /proc/net/tcp6 2> /dev/null || true"
        tables = self._pod.run("sh", "-c", script).decode(errors="replace")
        if port in listening_ports(tables):
            return ""
        return f"{self._id} does not listen on port {port} yet"

    def pass_on(self, client: socket.socket, port: int) -> None:
        """Connect a client with a port of the job until both sides have ended."""
        api, namespace, name = self._pod
        port_forward.pass_on(api, namespace, name, port, client)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the job for some seconds; return whether it has ended."""
        time.sleep(seconds)
        if time.monotonic() - self._checked_at < _CHECK_SECONDS:
            return False
        self._checked_at = time.monotonic()
        try:
            return self._has_ended()
        except RiseMLError:
            # An unreachable cluster does not mean that the job has ended.
            return False

    def close(self) -> None:
        """Do nothing: there are no processes."""

    def _has_ended_by_now(self) -> bool:
        end = time.monotonic() + _REPORT_SECONDS
        while not self._has_ended():
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def _has_ended(self) -> bool:
        api, namespace, name = self._pod
        pod = api.find(path("pods", namespace, name))
        return pod is None or not _runs(pod)


def open_access(api: Api, namespace: str, run: SetStatus, job: JobStatus) -> PodAccess:
    """Return access to a running job of a run.

    Raises:
        NotFoundError: it has no running pod.
    """
    end = time.monotonic() + _REPORT_SECONDS
    name = _find_pod(api, namespace, run, job)
    # What its files say may be newer than what the kubelet has reported.
    while not name and job.state is State.RUNNING and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)
        name = _find_pod(api, namespace, run, job)
    if not name:
        raise NotFoundError(
            f"{job.id} has no running pod", f"`riseml status {job.id}` shows its state."
        )
    return PodAccess(job, JobPod(api, namespace, name))


def _find_pod(api: Api, namespace: str, run: SetStatus, job: JobStatus) -> str:
    """Return the name of the running pod of a job, empty without one."""
    pods = path("pods", namespace)
    for pod in api.items(pods, labelSelector=pod_selector(names_of(run))):
        if node_id_of(pod) == job.node_id and _runs(pod):
            return str(pod["metadata"]["name"])
    return ""


def _runs(pod: Object) -> bool:
    """Return whether the main container of a pod runs."""
    for container in pod["status"].get("containerStatuses", ()):
        if container["name"] == pod_command.MAIN:
            return "running" in container.get("state", {})
    return False
