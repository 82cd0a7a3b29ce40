"""Stopping a run or one of its experiments.

The kill is written into the Workflow before anything is stopped, so that the status
can tell what was killed from what failed.
"""

from datetime import UTC, datetime
from functools import partial

from riseml import labels
from riseml.cluster import pod_exec
from riseml.cluster.api import Api, Object, path
from riseml.engines.argo.pod_log import main_state
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.workflows import pod_selector
from riseml.engines.selection import includes_run, run_or_experiment
from riseml.errors import NotFoundError, RiseMLError, UnreachableError
from riseml.ids import Id

_MAIN = "main"
_ALL = "*"
_ENDED = frozenset({"Succeeded", "Failed", "Error"})
_TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})
_TERMINATE = ["/var/run/argo/argoexec", "kill", "15", "1"]


def stop(reader: RunReader, run_id: Id, *, force: bool) -> bool:
    """Kill a run or one of its experiments; return False if it had already ended.

    With `force`, pods are deleted without a grace period. Pods that an ended run has
    left behind are then deleted too, and count as something that was stopped.
    """
    documents = reader.workflows.documents(run_id)
    run = reader.combined(documents)
    has_ended = run_or_experiment(run, run_id).state.is_terminal
    if has_ended and not force:
        return False
    sub = _ALL if includes_run(run, run_id) else str(run_id.sub)
    has_stopped = not has_ended
    for document in documents:
        is_active = document.get("status", {}).get("phase") not in _ENDED
        if not (is_active or force):
            continue
        workflow = _Workflow(reader.workflows.api, document["metadata"])
        if is_active and not has_ended:
            workflow.mark_killed(sub)
        has_stopped |= workflow.stop(sub, force=force)
    return has_stopped


class _Workflow:
    """One Workflow that is being stopped."""

    def __init__(self, api: Api, metadata: Object) -> None:
        self._api = api
        self._namespace, self._name = metadata["namespace"], metadata["name"]
        self._path = path("workflows", self._namespace, self._name)

    def mark_killed(self, sub: str) -> None:
        """Record the kill of an experiment, or of all."""
        time = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        self._api.update(self._path, partial(_with_kill, entry=f"{sub}={time}"))

    def stop(self, sub: str, *, force: bool) -> bool:
        """Stop an experiment, or all; return whether there are running pods."""
        if sub == _ALL:
            # Argo terminates all pods and starts no more.
            self._api.patch(self._path, {"spec": {"shutdown": "Terminate"}})
        pods = self._running_pods(sub)
        for pod in pods:
            if force:
                self._api.delete(self._pod_path(pod), gracePeriodSeconds=0)
            elif sub != _ALL:
                self._terminate(pod)
        return bool(pods)

    def _running_pods(self, sub: str) -> list[Object]:
        experiment = [] if sub == _ALL else [f"{labels.EXPERIMENT}={sub}"]
        selector = pod_selector([self._name], *experiment)
        pods = self._api.items(path("pods", self._namespace), labelSelector=selector)
        return [
            pod for pod in pods if pod["status"].get("phase") not in _TERMINAL_PHASES
        ]

    def _pod_path(self, pod: Object) -> str:
        return path("pods", self._namespace, pod["metadata"]["name"])

    def _terminate(self, pod: Object) -> None:
        """Send a job SIGTERM unless it has ended; delete its pod if it does not run yet."""
        name = pod["metadata"]["name"]
        try:
            pod_exec.run(self._api, self._namespace, name, _MAIN, _TERMINATE)
        except (UnreachableError, NotFoundError, pod_exec.CommandError):
            pods = path("pods", self._namespace)
            latest = list(self._api.items(pods, fieldSelector=f"metadata.name={name}"))
            # It may have ended since. Its pod must live on: it still saves the log.
            if not latest or "terminated" in main_state(latest[0]):
                return
            if _is_running(latest[0]):
                raise RiseMLError(
                    f"cannot reach the job in {name} to stop it",
                    "`riseml kill --force` deletes its pod.",
                ) from None
            self._api.delete(self._pod_path(pod))


def _with_kill(document: Object, entry: str) -> Object:
    kills = document["metadata"].get("annotations", {}).get(labels.KILLED, "")
    entries = ",".join(filter(None, (kills, entry)))
    return {"metadata": {"annotations": {labels.KILLED: entries}}}


def _is_running(pod: Object) -> bool:
    return pod["status"].get("phase") == "Running" and "running" in main_state(pod)
