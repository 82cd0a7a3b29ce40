"""Phase changes of nodes, and the hooks of tasks that they trigger: deletions of pods.

    set_phase ─▶ hooks that are due ─▶ delete ─▶ delete_pods ─▶ Stop

A hook runs when its task changes its phase and the hook's expression becomes true.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from riseml.engines.local.interpreter import label_selectors, variables
from riseml.engines.local.interpreter.events import GRACE_SECONDS
from riseml.engines.local.interpreter.expressions import ExpressionError, expression
from riseml.engines.local.interpreter.graph import Graph
from riseml.engines.local.interpreter.node import (
    DELETION,
    ERROR,
    FAILED,
    FINAL,
    PENDING,
    POD,
    SUCCEEDED,
    Node,
    Pairs,
)
from riseml.engines.local.interpreter.progress import CallSite, DagFrame
from riseml.engines.local.interpreter.tags import Lookup, fill
from riseml.engines.local.interpreter.templates import Hook, Template
from riseml.engines.local.interpreter.variables import (
    UnresolvedError,
    lookup_in,
    resolve,
)

FAULTS: Final = (UnresolvedError, ExpressionError)
"""Faults in a task's texts that appear only while it runs: its node becomes Error."""


def set_phase(graph: Graph, node: Node, phase: str, message: str | None = None) -> None:
    """Change phase and message (unless None) of a node, then run its hooks."""
    dag = graph.record_phase(node, phase, message)
    if dag is not None:
        run_hooks(graph, node, dag)


def run_hooks(graph: Graph, node: Node, dag: DagFrame) -> None:
    """Run the hooks of a task whose expressions have become true, each hook once."""
    # Only tasks have hooks: a hook itself and an attempt have none.
    if node.hooked or node.retried:
        return
    # Argo evaluates hooks when the pod exists.
    if node.phase == PENDING:
        return
    task = dag.task_of(node)
    if task is None:
        return
    for hook in task.hooks:
        try:
            _run_hook(graph, node, dag, hook)
        except FAULTS as fault:
            # The change to Error runs the hooks again, so a second fault must not do
            # that.
            if node.phase != ERROR:
                set_phase(graph, node, ERROR, str(fault))


def _run_hook(graph: Graph, node: Node, dag: DagFrame, hook: Hook) -> None:
    # A hook has run if its node exists, which is also known after a restart.
    name = f"{node.name}.hooks.{hook.name}"
    if graph.find(name) is not None or not _is_due(graph, dag, hook):
        return
    lookup = graph.task_lookup(dag)
    arguments = variables.task_arguments(hook.arguments, lookup, dag)
    template = graph.program.templates[hook.template]
    inputs = variables.inputs(
        template, dict(arguments), lookup_in(graph.variables), name
    )
    site = CallSite(name, dag, None, (node.id,))
    delete(graph, site, template, inputs)


def _is_due(graph: Graph, dag: DagFrame, hook: Hook) -> bool:
    lookup = graph.task_lookup(dag)
    parsed = expression(resolve(hook.expression, lookup))
    # As in Argo, a name without a value is equal to no value.
    values = {}
    for name in parsed.names:
        with suppress(UnresolvedError):
            values[name] = lookup(name)
    return parsed(values)


def delete(graph: Graph, site: CallSite, template: Template, inputs: Pairs) -> Node:
    """Run a template that deletes pods, at once. Without an owner it is a hook."""
    is_hook = site.owner is None and site.dag is not None
    if graph.shutdown:
        # A shutdown stops all pods itself.
        message = f"workflow shutdown with strategy: {graph.shutdown}"
        return graph.create(
            site,
            POD,
            template.name,
            FAILED,
            message=message,
            inputs=inputs,
            hooked=is_hook,
        )
    node = graph.create(
        site, POD, template.name, SUCCEEDED, inputs=inputs, hooked=is_hook
    )
    node.exit_code = 0
    lookup = pod_lookup(graph, node)
    flags = [resolve(flag, lookup) for flag in template.body["resource"]["flags"]]
    deletion = label_selectors.deletion_of_flags(flags)
    delete_pods(graph, deletion.selector, deletion.grace)
    return node


def delete_pods(
    graph: Graph, selector: Mapping[str, str], grace: float = GRACE_SECONDS
) -> None:
    """Delete the pods with these labels; their nodes become Error at their end."""
    for key in graph.live:
        node = graph.nodes[key]
        if node.stopped_by or node.phase in FINAL:
            continue
        if selector.items() <= _labels(graph, node).items():
            node.stopped_by = DELETION
            graph.dirty.add(node.id)
            graph.stop_pod(node, "deleted", grace)


def _labels(graph: Graph, node: Node) -> dict[str, str]:
    """Return the labels of a node's pod."""
    lookup = pod_lookup(graph, node)
    metadata = graph.template_of(node).body.get("metadata", {})
    own_labels = fill(fill(metadata.get("labels", {}), lookup), lookup)
    shared_labels = fill(graph.program.pod_labels, lookup_in(graph.variables))
    # A template's labels win over those that all pods share.
    return {**shared_labels, **own_labels, label_selectors.WORKFLOW: graph.name}


def pod_lookup(graph: Graph, node: Node) -> Lookup:
    """Return the lookup for tags in the template of a pod."""
    output_paths = {
        f"outputs.parameters.{output.name}.path": output.path
        for output in graph.template_of(node).outputs
    }
    return lookup_in(graph.node_variables(node), output_paths, graph.variables)
