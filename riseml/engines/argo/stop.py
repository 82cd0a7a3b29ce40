"""Ending a run, or one of its experiments: written down first, then done, so that status can tell who ended what."""

from functools import partial
from typing import TYPE_CHECKING

from riseml import labels, status
from riseml.cluster import pod_exec
from riseml.cluster.api import Object, path
from riseml.engines.argo import shards
from riseml.errors import NotFoundError, RiseMLError, UnreachableError
from riseml.ids import Id

if TYPE_CHECKING:
    from riseml.engines.argo.engine import ArgoEngine

_MAIN = "main"
_ENDED = frozenset({"Succeeded", "Failed"})
_KILL = ["/var/run/argo/argoexec", "kill", "15", "1"]


def stop(engine: "ArgoEngine", run: Id, *, force: bool) -> bool:
    """Kill a run or one of its experiments; False where it had ended already and nothing of it is left."""
    from riseml.engines.argo.engine import now, part  # noqa: PLC0415

    documents = engine.documents(run)
    whole = shards.merged([status.read(each) for each in documents])
    has_ended = part(whole, run).state.is_terminal
    if has_ended and not force:
        return False
    sub = "*" if run.sub is None or not whole.is_set else str(run.sub)
    acted = False
    for document in documents:
        metadata = document["metadata"]
        at = path("workflows", metadata["namespace"], metadata["name"])
        if not has_ended:
            moment = now().isoformat().replace("+00:00", "Z")
            engine.api.update(at, partial(_marked, sub=sub, moment=moment))
        if sub == "*":
            engine.api.patch(at, {"spec": {"shutdown": "Terminate"}})
        acted = (
            _end_pods(engine, metadata["namespace"], metadata["name"], sub, force=force)
            or acted
        )
    return acted or not has_ended


def _end_pods(
    engine: "ArgoEngine", namespace: str, name: str, sub: str, *, force: bool
) -> bool:
    """Let the pods of an experiment end, or with `force` all that are asked for; return whether there were any."""
    pods = _pods(engine, namespace, name, sub)
    for pod in pods:
        if force:
            engine.api.delete(
                path("pods", namespace, pod["metadata"]["name"]), gracePeriodSeconds=0
            )
        elif sub != "*":
            _end(engine, namespace, pod)
    return bool(pods)


def _marked(document: Object, sub: str, moment: str) -> Object:
    before = document["metadata"].get("annotations", {}).get(labels.KILLED, "")
    entries = ",".join(filter(None, [before, f"{sub}={moment}"]))
    return {"metadata": {"annotations": {labels.KILLED: entries}}}


def _pods(engine: "ArgoEngine", namespace: str, name: str, sub: str) -> list[Object]:
    chosen = f"{labels.WORKFLOW}={name}" + (
        "" if sub == "*" else f",{labels.EXPERIMENT}={sub}"
    )
    found = engine.api.items(path("pods", namespace), labelSelector=chosen)
    return [pod for pod in found if pod["status"].get("phase") not in _ENDED]


def _end(engine: "ArgoEngine", namespace: str, pod: Object) -> None:
    """Let a job end in its own time; one whose container does not run yet is deleted."""
    name = pod["metadata"]["name"]
    try:
        pod_exec.run(engine.api, namespace, name, _MAIN, _KILL)
    except (UnreachableError, NotFoundError, pod_exec.CommandError):
        running = any(
            each["name"] == _MAIN and "running" in each.get("state", {})
            for each in pod["status"].get("containerStatuses", ())
        )
        if running and pod["status"].get("phase") == "Running":
            raise RiseMLError(
                f"the job in {name} cannot be reached to be ended",
                "`riseml kill --force` deletes its pod.",
            ) from None
        engine.api.delete(path("pods", namespace, name))
