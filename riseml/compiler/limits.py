"""Size limits of a Workflow: whether Argo can keep it until its end.

Argo keeps the document and one status node per experiment and job in one object of at
most 1 MiB, and compresses the nodes once they are long. A set that outgrows this limit
fails in the middle, so what will not fit is refused before it starts. The local engine
has no such limit.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from riseml import labels
from riseml.errors import RiseMLError

# Argo's own limit in bytes, which is below that of etcd.
LIMIT = 1 << 20
# Kubernetes' limit in bytes for all annotations of an object together.
ANNOTATIONS = 256 << 10
# The largest request in bytes that etcd accepts by default.
REQUEST = 3 * 2**19
_WARN, _REFUSE = 0.5, 0.9
# The status of so many experiments is made up; the others are assumed to be as long.
_SAMPLE_SIZE = 400
# A gang is assumed to give its resources back so often before it has room.
_RELEASES = 2
# Characters of a reported result that no other experiment reports.
_RESULT_LENGTH = 60
# Characters of a value that a search chooses.
_VALUE_LENGTH = 10

Document = Mapping[str, Any]


def estimate(document: Document) -> int:
    """Return how many bytes Argo will have to keep when all experiments have ended."""
    templates = _templates(document)
    items = experiment_items(document)
    sample = items[:: max(1, len(items) // _SAMPLE_SIZE)]
    nodes: list[dict[str, Any]] = []
    for item in sample:
        nodes += _nodes(item, document, templates)
    # Argo stores the nodes compressed and in Base64.
    compressed = base64.b64encode(gzip.compress(json.dumps(nodes).encode(), mtime=0))
    return len(_json(document)) + len(compressed) * len(items) // len(sample)


def share_of(document: Document) -> float:
    """Return the share of the limit that a Workflow will use at its end."""
    return estimate(document) / LIMIT


def check_annotations(document: Document) -> None:
    """Refuse annotations that are too long for Kubernetes; riseml.yml is one of them.

    Raises:
        RiseMLError: they are too long.
    """
    # Kills and Argo itself add to them.
    _refuse_annotations(document, int(ANNOTATIONS * _REFUSE))


def _refuse_annotations(document: Document, limit: int) -> None:
    size = 0
    for name, value in document["metadata"].get("annotations", {}).items():
        size += len(f"{name}{value}".encode())
    if size <= limit:
        return
    text_size = len(document["metadata"]["annotations"][labels.CONFIG].encode())
    fitting = text_size - (size - limit)
    raise RiseMLError(
        f"riseml.yml is too long for a cluster: it has {_kib(text_size)}, and Kubernetes"
        f" keeps up to {_kib(ANNOTATIONS)} of annotations with a Workflow, which contain it",
        f"Shorten it to {_kib(fitting)}: move long commands, lists and comments into"
        " other files of the project. The local engine runs it as it is.",
    )


def _kib(size: int) -> str:
    return f"{size // 1024} KiB"


def check(document: Document) -> str:
    """Return a warning if a Workflow is large for Argo, else an empty text.

    Raises:
        RiseMLError: the Workflow would not fit.
    """
    check_annotations(document)
    return _check_set(document)


def _check_set(document: Document) -> str:
    share = share_of(document)
    count = len(experiment_items(document))
    if share > _REFUSE:
        fitting = _fitting(document, share)
        raise RiseMLError(
            f"{count} experiments are too many for one Workflow: "
            f"Argo would have to keep {share:.0%} of what it can",
            f"About {fitting} fit. Split the set: give one parameter fewer values, "
            "and start one set for each part of them. "
            "The local engine runs sets of any size.",
        )
    if share > _WARN:
        return (
            f"{count} experiments use {share:.0%} of what Argo can keep of one Workflow"
        )
    return ""


def _fitting(document: Document, share: float) -> int:
    """Return how many experiments of a set would fit, in hundreds."""
    items = experiment_items(document)
    # The scripts and other texts of the document do not become shorter with the set.
    fixed_share = (len(_json(document)) - len(_json(items))) / LIMIT
    share_of_experiment = (share - fixed_share) / len(items)
    return int((_REFUSE - fixed_share) / share_of_experiment) // 100 * 100


def _templates(document: Document) -> dict[str, Any]:
    return {template["name"]: template for template in document["spec"]["templates"]}


def experiment_items(document: Document) -> list[Any]:
    """Return the items of the set, one per experiment; those of a search in rounds are made up."""
    for template in document["spec"]["templates"]:
        for task in template.get("dag", {}).get("tasks", ()):
            if task.get("withItems"):
                items: list[Any] = task["withItems"]
                return items
            if task.get("withParam"):
                return _items_of_rounds(document, task)
    return [{}]


def _items_of_rounds(document: Document, task: Document) -> list[dict[str, str]]:
    """Return made-up items of a search in rounds, one per experiment; `task` is that of a round."""
    search = json.loads(document["metadata"]["annotations"][labels.SEARCH])
    names = [argument["name"] for argument in task["arguments"]["parameters"]]
    items = []
    for sub in range(search["first"], search["last"] + 1):
        item = {name: _noise(f"{name}{sub}", _VALUE_LENGTH) for name in names}
        items.append({**item, labels.SUB_PARAMETER: str(sub)})
    return items


def _nodes(
    item: Document, document: Document, templates: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the nodes of one experiment with made-up text where experiments differ."""
    metadata = document["metadata"]
    workflow = metadata.get("name") or f"{metadata['generateName']}xxxxx"
    values = ",".join(f"{name}:{item[name]}" for name in sorted(item))
    experiment = f"{workflow}.set.experiment({values})"
    inputs = [{"name": name, "value": value} for name, value in item.items()]
    dag = {"templateName": "experiment", "type": "DAG"}
    yield _node(workflow, experiment, inputs, dag)
    for task in templates["experiment"]["dag"]["tasks"]:
        template = templates[task["template"]]
        for attempt in range(_node_count(template)):
            path = f"{experiment}.{task['name']}({attempt})"
            result = {
                "name": "result",
                "value": _noise(path, _RESULT_LENGTH),
                "valueFrom": {"default": ""},
            }
            pod = {
                "templateName": template["name"],
                "type": "Pod",
                "outputs": {"exitCode": "0", "parameters": [result]},
            }
            yield _node(workflow, path, inputs, pod)


def _node_count(template: Document) -> int:
    """Return how many nodes a task has: attempts, and one around several of them."""
    retry = template.get("retryStrategy")
    if not retry:
        return 1
    attempts = int(retry.get("limit", 0)) + 1
    # Few gangs have to start again, and none as often as it may.
    if labels.RELEASED_CODE in retry.get("expression", ""):
        attempts = _RELEASES + 1
    return attempts + 1


def _node(
    workflow: str, path: str, inputs: list[dict[str, str]], fields: Document
) -> dict[str, Any]:
    id, parent, child = (  # noqa: A001
        f"{workflow}-{_digits(path + salt)}" for salt in ("", "parent", "child")
    )
    digits = _digits(path)
    return {
        "id": id,
        "name": path,
        "displayName": path,
        "boundaryID": parent,
        "children": [child],
        "outboundNodes": [child],
        "phase": "Succeeded",
        "message": f"main: Error (exit code {digits[0]})",
        "progress": "1/1",
        "startedAt": f"2026-01-01T{digits[:6]}Z",
        "finishedAt": f"2026-01-01T{digits[4:]}Z",
        "resourcesDuration": {"cpu": digits[:3], "memory": digits[3:6]},
        "inputs": {"parameters": inputs},
        "templateScope": f"local/{workflow}",
        **fields,
    }


def _digits(text: str) -> str:
    digest = hashlib.blake2s(text.encode(), digest_size=5).hexdigest()
    return str(int(digest, 16)).zfill(10)[:10]


def _noise(text: str, length: int) -> str:
    """Return text that cannot be compressed well."""
    return hashlib.blake2b(text.encode()).hexdigest()[:length]


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def check_manifest(document: Document) -> str:
    """Return a warning about the size of a document that is only written to a file.

    The text is empty if there is nothing to warn about. A cluster whose Argo offloads
    node status to a database accepts sets that `check` refuses; no cluster accepts a
    manifest or annotations that are themselves too large.

    Raises:
        RiseMLError: the manifest is larger than Kubernetes accepts.
    """
    size = len(_json(document))
    if size > REQUEST * _REFUSE:
        raise RiseMLError(
            f"this Workflow has {size / 2**20:.1f} MiB, "
            f"but Kubernetes accepts {REQUEST / 2**20:.1f} MiB",
            "Split the set: give one parameter fewer values, "
            "and start one set for each part of them.",
        )
    _refuse_annotations(document, ANNOTATIONS)
    try:
        check_annotations(document)
    except RiseMLError as error:
        # Kubernetes accepts them, but a run adds to them.
        return str(error)
    try:
        return _check_set(document)
    except RiseMLError as error:
        return f"{error}; only an Argo with node status offloading can run it"
