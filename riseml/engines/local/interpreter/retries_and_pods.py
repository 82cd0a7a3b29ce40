"""Calls of templates: retry groups and their attempts, and pods.

call ── retryStrategy ──▶ Retry node ── advance ──▶ attempt (0), (1), …
     ── otherwise ──────▶ one attempt: a DAG node, a pod, or a deletion of pods
"""

import heapq
from math import inf

from riseml.engines.local.interpreter import variables
from riseml.engines.local.interpreter.events import Acquire, StartPod
from riseml.engines.local.interpreter.expressions import ExpressionError, expression
from riseml.engines.local.interpreter.graph import Graph
from riseml.engines.local.interpreter.hooks import (
    delete,
    pod_lookup,
    run_hooks,
    set_phase,
)
from riseml.engines.local.interpreter.node import (
    DAG,
    ERROR,
    FAILED,
    PENDING,
    POD,
    RETRY,
    RUNNING,
    Node,
    Pairs,
    pod_name,
)
from riseml.engines.local.interpreter.progress import (
    Arguments,
    CallSite,
    DagFrame,
    Frame,
    RetryFrame,
)
from riseml.engines.local.interpreter.rules import (
    GroupEnded,
    RetryDecision,
    RetryLater,
    RetryNow,
    decide_retry,
)
from riseml.engines.local.interpreter.tags import fill
from riseml.engines.local.interpreter.templates import DELETE_KIND, Template
from riseml.engines.local.interpreter.variables import lookup_in, resolve


def call(
    graph: Graph, site: CallSite, template_name: str, arguments: Arguments
) -> Node:
    """Create the node of a template that is called; the caller settles it.

    Raises:
        UnresolvedError: an argument is missing.
    """
    template = graph.program.templates[template_name]
    inputs = variables.inputs(
        template, dict(arguments), lookup_in(graph.variables), site.name
    )
    if template.retry is None:
        return _attempt(graph, site, template, inputs)
    phase = PENDING if template.mutexes else RUNNING
    node = graph.create(site, RETRY, template.name, phase, inputs=inputs)
    frame = RetryFrame(node, template, template.retry, site.dag, site.owner)
    graph.frames[node.id] = frame
    if not template.mutexes:
        _start_frame(graph, frame)
    elif graph.shutdown:
        set_phase(graph, node, FAILED, stopped_message(graph))
    else:
        wait_for_locks(graph, node)
    return node


def stopped_message(graph: Graph) -> str:
    """Return the message of a node that a shutdown stops before it runs, as in Argo."""
    return f"Stopped with strategy '{graph.shutdown}'"


def _start_frame(graph: Graph, frame: Frame) -> None:
    dag = graph.dag_of(frame.node)
    if dag is not None:
        # The node was created as Running, so no change of its phase runs the hooks.
        run_hooks(graph, frame.node, dag)
    if graph.shutdown:
        # It ends at once, which makes room for the next item.
        graph.advance(frame)
    else:
        graph.wake(frame)


def _attempt(
    graph: Graph,
    site: CallSite,
    template: Template,
    inputs: Pairs,
    *,
    retried: bool = False,
) -> Node:
    """Run a template once."""
    if template.kind == DELETE_KIND:
        return delete(graph, site, template, inputs)
    if template.dag is not None:
        node = graph.create(
            site, DAG, template.name, RUNNING, inputs=inputs, retried=retried
        )
        frame = DagFrame(
            node, template, template.dag, site.owner, graph.node_variables(node)
        )
        graph.frames[node.id] = frame
        _start_frame(graph, frame)
        return node
    node = graph.create(
        site, POD, template.name, PENDING, inputs=inputs, retried=retried
    )
    if graph.shutdown:
        message = f"workflow shutdown with strategy: {graph.shutdown}"
        set_phase(graph, node, FAILED, message)
    elif template.mutexes and not retried:
        wait_for_locks(graph, node)
    else:
        launch(graph, node)
    return node


# Retries


def advance(graph: Graph, frame: RetryFrame) -> None:
    """Start the next attempts of a retry group, as far as its rule permits."""
    node = frame.node
    while not node.waiting:
        if frame.attempts:
            if not frame.attempts[-1].fulfilled:
                return
            if not _may_continue(graph, frame):
                return
        name = f"{node.name}({len(frame.attempts)})"
        site = CallSite(name, frame.dag, frame, (node.id,))
        attempt = _attempt(graph, site, frame.template, node.inputs, retried=True)
        frame.attempts.append(attempt)
        graph.settle(attempt)


def _may_continue(graph: Graph, frame: RetryFrame) -> bool:
    """Tell whether an attempt starts now; otherwise schedule it or end the group."""
    node = frame.node
    last = frame.attempts[-1]
    match _decide(graph, frame):
        case RetryNow():
            if frame.rule.backoff:
                # The message announced the wait, which is over.
                set_phase(graph, node, node.phase, "")
            return True
        case RetryLater(due, message):
            set_phase(graph, node, node.phase, message)
            heapq.heappush(graph.timers, (due, node.id))
        case GroupEnded(phase, message):
            node.exit_code = last.exit_code
            node.outputs = last.outputs
            set_phase(graph, node, phase, message)
            graph.settle(node)
    return False


def _decide(graph: Graph, frame: RetryFrame) -> RetryDecision:
    if graph.shutdown:
        return GroupEnded(FAILED, stopped_message(graph))
    rule = frame.rule
    last = frame.attempts[-1]

    def evaluate_expression() -> bool:
        values = graph.node_variables(last)
        values.update(variables.retry_variables(last))
        values["retries"] = str(len(frame.attempts) - 1)
        lookup = lookup_in(values, graph.variables)
        return expression(resolve(rule.expression, lookup))(values)

    try:
        return decide_retry(
            rule,
            frame.attempts[0],
            last,
            evaluate_expression,
            attempts=len(frame.attempts),
            now=graph.now,
        )
    except ExpressionError as fault:
        return GroupEnded(ERROR, str(fault))


# Pods


def launch(graph: Graph, node: Node) -> None:
    """Ask the shell to start the pod of a node."""
    node.launched = True
    graph.live[node.id] = None
    graph.dirty.add(node.id)
    limit_pending_time(graph, node)
    graph.actions.append(start_action(graph, node))


def limit_pending_time(graph: Graph, node: Node) -> None:
    """Set a timer for the time that a pod may be pending."""
    # Argo does not limit the attempts of a retry group.
    if node.retried or node.phase != PENDING:
        return
    template = graph.template_of(node)
    for limit in (template.pending_timeout, template.timeout):
        if limit < inf:
            heapq.heappush(graph.timers, (node.started_at + limit, node.id))


def start_action(graph: Graph, node: Node) -> StartPod:
    """Return the action that starts the pod of a node, with every tag replaced."""
    template = graph.template_of(node)
    lookup = pod_lookup(graph, node)
    body = template.fill(lookup)
    if node.inputs:
        parameters = [{"name": name, "value": value} for name, value in node.inputs]
        body = {**body, "inputs": {**body["inputs"], "parameters": parameters}}
    workflow_lookup = lookup_in(graph.variables)
    volumes = [fill(volume, workflow_lookup) for volume in graph.program.volumes]
    volumes += body.get("volumes", ())
    return StartPod(
        node=node.id,
        name=pod_name(graph.name, node.name, node.template),
        attempt=variables.attempt_of(node),
        template=body,
        volumes=tuple(volumes),
        deadline=_deadline(graph, node, template),
        started=node.running_at is not None,
    )


def _deadline(graph: Graph, node: Node, template: Template) -> float | None:
    """Return how many seconds a pod may run, None without a limit."""
    ends_at = node.started_at + template.timeout
    backoff = template.retry.backoff if template.retry else None
    if backoff is not None and node.retried:
        group_name = node.name[: node.name.rindex("(")]
        first = graph.find(f"{group_name}(0)") or node
        ends_at = min(ends_at, first.started_at + backoff.max_duration)
    seconds = min(template.deadline, max(0.0, ends_at - graph.now))
    if seconds == inf:
        return None
    return seconds


def wait_for_locks(graph: Graph, node: Node) -> None:
    """Ask the shell for the locks of a node."""
    locks = graph.locks_of(node)
    node.waiting = "\n".join(locks)
    message = f"Waiting for {locks[0]} lock. Lock status: 0/1"
    set_phase(graph, node, PENDING, message)
    graph.actions.append(Acquire(node.id, locks))
    limit_pending_time(graph, node)
