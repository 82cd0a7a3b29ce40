"""Status of a run as Argo's API returns it."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from riseml.engines.local.interpreter import edges
from riseml.engines.local.interpreter.graph import Graph
from riseml.engines.local.interpreter.node import (
    COMPLETED,
    DAG,
    OMITTED,
    POD,
    RUNNING,
    SKIPPED,
    SKIPPED_TYPE,
    SUCCEEDED,
    TASK_GROUP,
    UNSUCCESSFUL,
    Node,
    complete_progress,
)
from riseml.engines.local.interpreter.tags import fill
from riseml.engines.local.interpreter.templates import optional_text
from riseml.engines.local.interpreter.variables import lookup_in

_SEPARATOR: Final = re.compile(r"^(\[\d+\])?\.")

# A Workflow has no phases of its own for these.
_WORKFLOW_PHASES: Final = {SKIPPED: SUCCEEDED, OMITTED: SUCCEEDED}


def status(graph: Graph) -> dict[str, Any]:
    """Return the `.status` of a run; empty before it starts."""
    data = summary(graph)
    if data:
        data["nodes"] = _nodes_status(graph)
    return data


def summary(graph: Graph) -> dict[str, Any]:
    """Return the `.status` of a run without its nodes; empty before it starts."""
    root = graph.root
    if root is None:
        return {}
    is_running = any(graph.nodes[pod].phase == RUNNING for pod in graph.live)
    conditions = [{"type": "PodRunning", "status": str(is_running)}]
    data: dict[str, Any] = {
        "phase": RUNNING,
        "startedAt": format_time(root.started_at),
        "finishedAt": None,
        "progress": _sum_progress(graph.nodes.values()),
        "nodes": {},
        "conditions": conditions,
    }
    if graph.ended:
        data["phase"] = _WORKFLOW_PHASES.get(root.phase, root.phase)
        data["finishedAt"] = format_time(root.ended_at)
        message = root.message
        if graph.shutdown:
            message = _shutdown_message(graph, root)
        if message:
            data["message"] = message
        conditions.append({"type": "Completed", "status": "True"})
    return data


def _shutdown_message(graph: Graph, root: Node) -> str:
    """Return the message of a run that was told to stop, which may have succeeded."""
    if root.phase in UNSUCCESSFUL:
        return f"Stopped with strategy '{graph.shutdown}'"
    return ""


def _nodes_status(graph: Graph) -> dict[str, Any]:
    return {key: complete_node_status(graph, node) for key, node in graph.nodes.items()}


def complete_node_status(graph: Graph, node: Node) -> dict[str, Any]:
    """Return a node as `.status.nodes` contains it; all nodes below it affect the cost."""
    data = node_status(graph, node)
    if node.type != POD:
        data["progress"] = _sum_progress(_descendants(graph, node.id))
    if node.type == DAG and node.phase in COMPLETED:
        outbound = dict.fromkeys(edges.outbound(graph, node))
        data["outboundNodes"] = list(outbound)
    return data


def node_status(graph: Graph, node: Node) -> dict[str, Any]:
    """Return a node as `.status.nodes` contains it.

    The progress of a node that is not a pod is left out, because it depends on all
    nodes below it.
    """
    phase = node.phase
    finished_at = node.finished_at
    if _is_ending(graph, node):
        phase = RUNNING
        finished_at = None
    data: dict[str, Any] = {
        "id": node.id,
        "name": node.name,
        "displayName": _display_name(graph, node),
        "type": node.type,
        "templateName": node.template,
        "templateScope": f"local/{graph.name}",
        "phase": phase,
        "startedAt": format_time(node.started_at),
        "finishedAt": format_time(finished_at),
    }
    data.update(
        _without_empty(
            {
                "boundaryID": node.boundary,
                # This is RiseML's own key: Argo does not show when a container started.
                "runningAt": format_time(node.running_at),
                "message": node.message,
                "children": list(graph.children.get(node.id, ())),
                "daemoned": node.daemoned,
                "nodeFlag": _node_flag(node),
                "inputs": _inputs(graph, node),
                "outputs": _outputs(graph, node),
            }
        )
    )
    if node.type == POD:
        done, total = _pod_progress(node)
        data["progress"] = f"{done}/{total}"
    if node.waiting:
        first_lock = node.waiting.partition("\n")[0]
        data["synchronizationStatus"] = {"waiting": first_lock}
    return data


def _node_flag(node: Node) -> dict[str, bool]:
    return _without_empty({"hooked": node.hooked, "retried": node.retried})


def _without_empty(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Argo does not write: null, false, and what is empty."""
    return {name: value for name, value in data.items() if value}


def _display_name(graph: Graph, node: Node) -> str:
    boundary = graph.nodes.get(node.boundary)
    if boundary is None:
        return node.name
    return _SEPARATOR.sub("", node.name.removeprefix(boundary.name))


def _is_ending(graph: Graph, node: Node) -> bool:
    """Tell whether a pod in a node that was shut down still runs.

    Argo calls the node Failed at once. Whoever waits for it here must wait for the pod.
    """
    if not graph.shutdown or node.phase not in UNSUCCESSFUL:
        return False
    return any(
        not graph.nodes[pod].fulfilled and _contains(graph, node, pod)
        for pod in graph.live
    )


def _contains(graph: Graph, node: Node, key: str) -> bool:
    """Tell whether a pod is the node, or is in that retry group, group or DAG."""
    while key:
        inner = graph.nodes[key]
        if node.id == key or node.id in inner.parents[:1]:
            return True
        key = inner.boundary
    return False


def format_time(seconds: float | None) -> str | None:
    """Return a time as RFC 3339 with microseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _inputs(graph: Graph, node: Node) -> dict[str, Any]:
    if node.type in (TASK_GROUP, SKIPPED_TYPE):
        return {}
    template = graph.template_of(node)
    parameters: list[dict[str, str]] = []
    for name, value in node.inputs:
        parameter = {"name": name, "value": value}
        _set_default(parameter, template.inputs[name])
        parameters.append(parameter)
    artifacts = template.body.get("inputs", {}).get("artifacts")
    if artifacts:
        lookup = lookup_in(graph.node_variables(node), graph.variables)
        artifacts = fill(fill(artifacts, lookup), lookup)
    return _without_empty({"parameters": parameters, "artifacts": artifacts})


def _outputs(graph: Graph, node: Node) -> dict[str, Any]:
    # Most nodes have none, and the outputs of the template need not be searched.
    if not node.outputs and node.exit_code is None:
        return {}
    outputs = {output.name: output for output in graph.template_of(node).outputs}
    parameters = []
    for name, value in node.outputs:
        source = {"path": outputs[name].path}
        _set_default(source, outputs[name].default)
        parameters.append({"name": name, "value": value, "valueFrom": source})
    return _without_empty(
        {"parameters": parameters, "exitCode": optional_text(node.exit_code)}
    )


def _set_default(data: dict[str, str], default: str | None) -> None:
    if default is not None:
        data["default"] = default


def _pod_progress(node: Node) -> tuple[int, int]:
    progress = node.progress or "0/1"
    if node.phase == SUCCEEDED:
        progress = complete_progress(node.progress)
    done, _, total = progress.partition("/")
    return int(done), int(total)


def _sum_progress(nodes: Iterable[Node]) -> str:
    """Return the sum of the progress of all pods among the nodes."""
    done_sum = 0
    total_sum = 0
    for node in nodes:
        if node.type == POD:
            done, total = _pod_progress(node)
            done_sum += done
            total_sum += total
    return f"{done_sum}/{total_sum}"


def _descendants(graph: Graph, key: str) -> list[Node]:
    """Return all nodes below a node, each once."""
    descendants = []
    # A node has several parents if its task needs several others.
    seen: set[str] = set()
    stack = [key]
    while stack:
        for child in graph.children.get(stack.pop(), ()):
            if child not in seen:
                seen.add(child)
                stack.append(child)
                descendants.append(graph.nodes[child])
    return descendants
