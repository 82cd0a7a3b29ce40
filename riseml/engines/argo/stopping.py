"""Ending a run, or one of its experiments: written down first, then done, so that status can tell who ended what."""

from typing import TYPE_CHECKING

from riseml import labels, status
from riseml.cluster import execution
from riseml.cluster.api import Object, path
from riseml.errors import NotFoundError, RiseMLError, UnreachableError
from riseml.ids import Id
from riseml.status import TERMINAL

if TYPE_CHECKING:
    from riseml.engines.argo.engine import ArgoEngine

_MAIN = "main"
_ENDED = frozenset({"Succeeded", "Failed"})
_KILL = ["/var/run/argo/argoexec", "kill", "15", "1"]


def stop(engine: "ArgoEngine", run: Id, *, force: bool) -> bool:
    """Kill a run or one of its experiments; False where it had ended already and nothing of it is left."""
    from riseml.engines.argo.engine import now, part  # noqa: PLC0415

    document = engine.get(run)
    metadata = document["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    whole = status.read(document)
    state = part(whole, run).state
    if state in TERMINAL and not force:
        return False
    sub = "*" if run.sub is None or not whole.is_set else str(run.sub)
    if state not in TERMINAL:
        moment = now().isoformat().replace("+00:00", "Z")
        engine.api.update(path("workflows", namespace, name), lambda it: _marked(it, sub, moment))
    if sub == "*":
        engine.api.patch(path("workflows", namespace, name), {"spec": {"shutdown": "Terminate"}})
    pods = list(_pods(engine, namespace, name, sub))
    for pod in pods:
        if sub != "*" and not force:
            _end(engine, namespace, pod)
        elif force:
            engine.api.delete(path("pods", namespace, pod["metadata"]["name"]), gracePeriodSeconds=0)
    return state not in TERMINAL or bool(pods)


def _marked(document: Object, sub: str, moment: str) -> Object:
    before = document["metadata"].get("annotations", {}).get(labels.KILLED, "")
    entries = ",".join(filter(None, [before, f"{sub}={moment}"]))
    return {"metadata": {"annotations": {labels.KILLED: entries}}}


def _pods(engine: "ArgoEngine", namespace: str, name: str, sub: str) -> list[Object]:
    chosen = f"{labels.WORKFLOW}={name}" + ("" if sub == "*" else f",{labels.EXPERIMENT}={sub}")
    found = engine.api.items(path("pods", namespace), labelSelector=chosen)
    return [pod for pod in found if pod["status"].get("phase") not in _ENDED]


def _end(engine: "ArgoEngine", namespace: str, pod: Object) -> None:
    """Let a job end in its own time; one whose container does not run yet is deleted."""
    name = pod["metadata"]["name"]
    try:
        execution.run(engine.api, namespace, name, _MAIN, _KILL)
    except (UnreachableError, NotFoundError, execution.CommandError):
        running = any(
            each["name"] == _MAIN and "running" in each.get("state", {})
            for each in pod["status"].get("containerStatuses", ())
        )
        if running and pod["status"].get("phase") == "Running":
            raise RiseMLError(
                f"the job in {name} cannot be reached to be ended", "`riseml kill --force` deletes its pod."
            ) from None
        engine.api.delete(path("pods", namespace, name))
