"""Stopping a run or one of its experiments.

The kill is written into the Workflow before anything is stopped, so that the status
can tell what was killed from what failed.
"""

from functools import partial

from riseml import labels
from riseml.cluster import pod_exec
from riseml.cluster.api import Api, Object, path
from riseml.engines.argo.pod_deletion import PodDeletion
from riseml.engines.argo.pod_log import main_state
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.selection import includes_run, run_or_experiment
from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.status.outline import ENDED

_MAIN = "main"
_ALL = "*"
_TERMINATE = ["/var/run/argo/argoexec", "kill", "15", "1"]


def stop(reader: RunReader, run_id: Id, *, force: bool) -> bool:
    """Kill a run or one of its experiments; return False if it had already ended.

    With `force`, pods are deleted, and again if Argo makes them anew. Pods that an ended run has
    left behind are then deleted too, and count as something that was stopped.
    """
    try:
        documents = reader.workflows.documents(run_id)
    except NotFoundError:
        # A run that the archive has ended before its Workflow was gone, or with it.
        run_or_experiment(reader.read(run_id), run_id)
        return False
    run = reader.combined(documents)
    has_ended = run_or_experiment(run, run_id).state.is_terminal
    if has_ended and not force:
        return False
    sub = _ALL if includes_run(run, run_id) else str(run_id.sub)
    has_stopped = not has_ended
    for document in documents:
        is_active = document.get("status", {}).get("phase") not in ENDED
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
        self._api.update(self._path, partial(self._with_kill, sub=sub))

    def _with_kill(self, document: Object, sub: str) -> Object:
        kills = document["metadata"].get("annotations", {}).get(labels.KILLED, "")
        # The times of jobs are the cluster's, and this machine's clock may be wrong.
        time = self._api.clock.now().isoformat().replace("+00:00", "Z")
        entries = ",".join(filter(None, (kills, f"{sub}={time}")))
        return {"metadata": {"annotations": {labels.KILLED: entries}}}

    def stop(self, sub: str, *, force: bool) -> bool:
        """Stop an experiment, or all; return whether there are running pods."""
        selectors = []
        if sub == _ALL:
            # Argo terminates all pods and starts no more.
            self._api.patch(self._path, {"spec": {"shutdown": "Terminate"}})
        else:
            selectors.append(f"{labels.EXPERIMENT}={sub}")
        deletion = PodDeletion(self._api, self._namespace, self._name, *selectors)
        pods = deletion.running()
        for pod in pods:
            if sub == _ALL:
                # Argo makes no other pod in its place.
                if force:
                    deletion.delete(pod)
            elif force or not self._terminate(pod):
                deletion.add(pod)
        deletion.complete()
        return bool(pods)

    def _terminate(self, pod: Object) -> bool:
        """Send a job SIGTERM unless it has ended; return False if its pod does not run yet."""
        name = pod["metadata"]["name"]
        try:
            pod_exec.run(self._api, self._namespace, name, _MAIN, _TERMINATE)
        except RiseMLError:
            pods = path("pods", self._namespace)
            latest = list(self._api.items(pods, fieldSelector=f"metadata.name={name}"))
            # It may have ended since. Its pod must live on: it still saves the log.
            if not latest or "terminated" in main_state(latest[0]):
                return True
            if _is_running(latest[0]):
                raise RiseMLError(
                    f"cannot reach the job in {name} to stop it",
                    "`riseml kill --force` deletes its pod.",
                ) from None
            return False
        return True


def _is_running(pod: Object) -> bool:
    return pod["status"].get("phase") == "Running" and "running" in main_state(pod)
