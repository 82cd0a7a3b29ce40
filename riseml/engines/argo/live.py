"""What a run's document does not say yet: results of running jobs, and nodes that have gone away."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from riseml import labels
from riseml.cluster.api import Api, Object, path
from riseml.cluster.store import StorePod
from riseml.errors import RiseMLError
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

# For each folder below /output: the last line that its job has reported, after the folder's name.
_RESULTS = """
cd /output
for folder; do
  file=$folder/.riseml/results.jsonl
  [ ! -s "$file" ] || printf '%s\\t%s\\n' "$folder" "$(tail -n 1 "$file" | head -c 4096)"
done
"""
_MOST = 500  # experiments whose live results are asked for at once
_LOST = "the node {node} does not answer; if it stays away, Kubernetes takes the pod off it after some minutes"


def folder(whole: SetStatus, experiment: ExperimentStatus) -> str:
    """Return where in the output volume an experiment has its folder."""
    run = run_folder(whole)
    return f"{run}/{experiment.sub}" if whole.is_set else run


def run_folder(whole: SetStatus) -> str:
    """Return where in the output volume a run has its folder."""
    return f"{whole.user}/{whole.project}/{whole.number}"


def completed(api: Api, namespace: str, store: StorePod, whole: SetStatus) -> SetStatus:
    """Return a run with the results that its experiments have reported so far, and with lost nodes named."""
    whole = _with_results(store, whole)
    if any(experiment.state is State.RUNNING for experiment in whole.experiments):
        whole = _with_lost_nodes(api, namespace, whole)
    return whole


def _with_results(store: StorePod, whole: SetStatus) -> SetStatus:
    wanted = {
        folder(whole, each): each.id
        for each in whole.experiments
        if each.result is None and each.started and each.state is not State.FINISHED
    }
    if not wanted:
        return whole
    try:
        told = store.script(_RESULTS, *list(wanted)[-_MOST:]).decode(errors="replace")
    except RiseMLError:
        return whole  # the store may be away; everything else is known
    found: dict[str, Mapping[str, Any]] = {}
    for line in told.splitlines():
        place, _, text = line.partition("\t")
        try:
            value = json.loads(text)
        except ValueError:
            continue
        if place in wanted:
            found[wanted[place]] = value if isinstance(value, dict) else {"result": value}
    experiments = tuple(
        replace(each, result=found[each.id]) if each.id in found else each for each in whole.experiments
    )
    return replace(whole, experiments=experiments)


def _with_lost_nodes(api: Api, namespace: str, whole: SetStatus) -> SetStatus:
    """Say of running jobs whose node has stopped answering that it has: Argo does not know for minutes."""
    try:
        pods = list(api.items(path("pods", namespace), labelSelector=labels.WORKFLOW))
    except RiseMLError:
        return whole
    lost = {_key(pod): pod["spec"].get("nodeName", "?") for pod in pods if _is_lost(pod)}
    if not lost:
        return whole
    experiments = tuple(
        replace(each, jobs=tuple(_named(whole, each, job, lost) for job in each.jobs)) for each in whole.experiments
    )
    experiments = tuple(
        replace(each, reason="NODE_LOST", message=job.message) if job else each
        for each in experiments
        for job in [next((job for job in each.jobs if job.reason == "NODE_LOST"), None)]
    )
    return replace(whole, experiments=experiments)


def _key(pod: Object) -> tuple[str, str, str]:
    tags = pod["metadata"].get("labels", {})
    return tags.get(labels.EXPERIMENT, ""), tags.get(labels.TYPE, ""), tags.get(labels.INDEX, "")


def _is_lost(pod: Object) -> bool:
    """Whether a pod is said to run by a node that has not been heard of: only the cluster says it is not ready."""
    state = pod["status"]
    if state.get("phase") != "Running":
        return False
    if state.get("reason") == "NodeLost":
        return True
    ready = next((each["status"] for each in state.get("conditions", ()) if each["type"] == "Ready"), "")
    containers = state.get("containerStatuses", ())
    own = all("running" in each.get("state", {}) and each.get("ready") for each in containers)
    return ready != "True" and bool(containers) and own


def _named(
    whole: SetStatus, experiment: ExperimentStatus, job: JobStatus, lost: Mapping[tuple[str, str, str], str]
) -> JobStatus:
    sub = str(experiment.sub or 1)
    del whole
    node = lost.get((sub, job.type, str(job.index) if job.index else ""))
    if node is None or job.state is not State.RUNNING:
        return job
    return replace(job, reason="NODE_LOST", message=_LOST.format(node=node))
