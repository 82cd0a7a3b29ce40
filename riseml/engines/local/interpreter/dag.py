"""DAGs and task groups: which tasks and items start now, and when the DAG ends.

    event ─▶ set_phase, settle ─▶ the waiting frame is woken ─▶ woken frames advance

Nothing here examines more than an event concerns, so the cost of an event does not
depend on the number of nodes.
"""

from collections.abc import Callable
from typing import Final

from riseml.engines.local.interpreter import edges, variables
from riseml.engines.local.interpreter.expressions import condition
from riseml.engines.local.interpreter.graph import Graph
from riseml.engines.local.interpreter.hooks import FAULTS, run_hooks, set_phase
from riseml.engines.local.interpreter.node import (
    ERROR,
    FAILED,
    OMITTED,
    RUNNING,
    SKIPPED,
    SKIPPED_TYPE,
    SUCCEEDED,
    TASK_GROUP,
    Node,
    complete_progress,
)
from riseml.engines.local.interpreter.progress import (
    Arguments,
    CallSite,
    DagFrame,
    GroupFrame,
)
from riseml.engines.local.interpreter.retries_and_pods import call
from riseml.engines.local.interpreter.rules import (
    OMITTED_MESSAGE,
    dag_phase,
    is_depends_met,
)
from riseml.engines.local.interpreter.tags import item_name, item_values
from riseml.engines.local.interpreter.templates import Task
from riseml.engines.local.interpreter.variables import lookup_in, resolve

_FAIL_FAST_MESSAGE: Final = (
    "template has failed or errored children and failFast enabled"
)


def advance(graph: Graph, frame: DagFrame) -> None:
    """Start the tasks of a DAG that may start, in order; end it when all are done."""
    if frame.template.fail_fast and frame.failures:
        if not _has_live_pods(graph, frame):
            _finish(graph, frame, FAILED, _FAIL_FAST_MESSAGE)
        return
    _start_ready_tasks(graph, frame)
    if graph.shutdown:
        _finish(graph, frame, FAILED)
    elif frame.done and not _is_deleting_daemons(graph, frame):
        phases = {name: node.phase for name, node in frame.tasks.items()}
        _finish(graph, frame, dag_phase(frame.dag, phases))


def _has_live_pods(graph: Graph, frame: DagFrame) -> bool:
    return any(graph.nodes[pod].boundary == frame.node.id for pod in graph.live)


def _is_deleting_daemons(graph: Graph, frame: DagFrame) -> bool:
    return any(
        graph.nodes[key].stopped_by and key in graph.live for key in frame.daemons
    )


def _start_ready_tasks(graph: Graph, frame: DagFrame) -> None:
    index = 0
    # A shutdown ends all ready tasks, also those behind one that cannot start.
    examine_all = bool(graph.shutdown)
    while index < len(frame.ready):
        examine_all = examine_all or frame.recheck
        frame.recheck = False
        task = frame.dag.order[frame.ready[index]]
        if _start_task(graph, frame, task):
            del frame.ready[index]
        elif examine_all:
            index += 1
        else:
            break


def _finish(
    graph: Graph, frame: DagFrame, phase: str, message: str | None = None
) -> None:
    set_phase(graph, frame.node, phase, message)
    graph.settle(frame.node)
    for key in frame.daemons:
        daemon = graph.nodes[key]
        if daemon.daemoned:
            _release_daemon(graph, daemon)


def _release_daemon(graph: Graph, daemon: Node) -> None:
    """Stop a daemon whose DAG is done; it is Succeeded even if it was deleted."""
    daemon.daemoned = False
    daemon.progress = complete_progress(daemon.progress)
    set_phase(graph, daemon, SUCCEEDED)
    if daemon.id in graph.live:
        graph.stop_pod(daemon, "daemon")


# One task


def _start_task(graph: Graph, frame: DagFrame, task: Task) -> bool:
    """Start a task whose needs are done; False if it, or an item of it, has no slot."""
    if task.is_group:
        return _start_items(graph, frame, task)
    node = _create_node(
        graph,
        _task_site(graph, frame, task),
        frame,
        task,
        when=lambda: _task_when(graph, frame, task),
        arguments=lambda: _task_arguments(graph, frame, task),
    )
    if node is None:
        return False
    graph.settle(node)
    return True


def _create_node(
    graph: Graph,
    site: CallSite,
    frame: DagFrame,
    task: Task,
    *,
    when: Callable[[], str],
    arguments: Callable[[], Arguments],
) -> Node | None:
    """Create the node of a task, or of an item, as its conditions demand.

    `when` and `arguments` are evaluated only if they decide something, because their
    tags may have no value for a task that does not run.

    Returns:
        None if the DAG has no slot for the node yet.
    """
    try:
        if not is_depends_met(task, frame.outcomes):
            return _skip(graph, site, task, OMITTED, OMITTED_MESSAGE)
        filled_when = when()
        if filled_when and not condition(filled_when)({}):
            message = f"when '{filled_when}' evaluated false"
            return _skip(graph, site, task, SKIPPED, message)
        if not _has_slot(graph, frame):
            return None
        return call(graph, site, task.template, arguments())
    except FAULTS as fault:
        return _skip(graph, site, task, ERROR, str(fault))


def _has_slot(graph: Graph, frame: DagFrame) -> bool:
    # What a shutdown ends needs no slot.
    if graph.shutdown:
        return True
    return frame.active < frame.template.parallelism


def _skip(graph: Graph, site: CallSite, task: Task, phase: str, message: str) -> Node:
    return graph.create(site, SKIPPED_TYPE, task.template, phase, message=message)


def _task_site(graph: Graph, frame: DagFrame, task: Task) -> CallSite:
    name = f"{frame.node.name}.{task.name}"
    return CallSite(name, frame, frame, edges.parents(graph, frame, task))


def _task_when(graph: Graph, frame: DagFrame, task: Task) -> str:
    """Return a task's `when`; all tags are replaced except those of an item."""
    if not task.when:
        return ""
    return resolve(task.when, graph.task_lookup(frame))


def _task_arguments(graph: Graph, frame: DagFrame, task: Task) -> Arguments:
    """Return a task's arguments; all tags are replaced except those of an item."""
    return variables.task_arguments(task.arguments, graph.task_lookup(frame), frame)


# Items of one task


def _start_items(graph: Graph, frame: DagFrame, task: Task) -> bool:
    if task.name in frame.tasks:
        group = graph.frames[frame.tasks[task.name].id]
        # A task with items has no node of another type while it is ready.
        assert isinstance(group, GroupFrame)  # noqa: S101
    else:
        created = _create_group(graph, frame, task)
        if created is None:
            return True
        group = created
    while not group.exhausted:
        if not _start_item(graph, frame, group):
            return False
    return True


def _create_group(graph: Graph, frame: DagFrame, task: Task) -> GroupFrame | None:
    """Create the group of a task; None if it is omitted, has no items, or its texts are faulty."""
    site = _task_site(graph, frame, task)
    # A fault that all items share fails the task once instead of every item.
    try:
        if not is_depends_met(task, frame.outcomes):
            graph.settle(_skip(graph, site, task, OMITTED, OMITTED_MESSAGE))
            return None
        when = _task_when(graph, frame, task)
        arguments = _task_arguments(graph, frame, task)
        items = variables.items(task, graph.task_lookup(frame))
    except FAULTS as fault:
        graph.settle(_skip(graph, site, task, ERROR, str(fault)))
        return None
    if task.param and not items:
        graph.settle(_skip(graph, site, task, SKIPPED, "Skipped, empty params"))
        return None
    node = graph.create(site, TASK_GROUP, task.template, RUNNING)
    template = graph.program.templates[task.template]
    group = GroupFrame(node, template, frame, task, items)
    group.when = when
    group.arguments = arguments
    group.variables_version = graph.variables_version
    graph.frames[node.id] = group
    run_hooks(graph, node, frame)
    return group


def _start_item(graph: Graph, frame: DagFrame, group: GroupFrame) -> bool:
    """Start the next item of a group; False if there is no slot for it."""
    task = group.task
    item = group.next_item
    if group.variables_version != graph.variables_version:
        # An annotation has changed since the texts of the task were filled.
        group.when = _task_when(graph, frame, task)
        group.arguments = _task_arguments(graph, frame, task)
        group.variables_version = graph.variables_version
    lookup = lookup_in(item_values(item), graph.variables)

    def item_value(value: str | None) -> str | None:
        return None if value is None else resolve(value, lookup)

    def item_arguments() -> Arguments:
        return tuple((name, item_value(value)) for name, value in group.arguments)

    name = f"{frame.node.name}.{item_name(task.name, group.next_index, item)}"
    site = CallSite(name, frame, group, (group.node.id,))
    node = _create_node(
        graph,
        site,
        frame,
        task,
        when=lambda: resolve(group.when, lookup),
        arguments=item_arguments,
    )
    if node is None:
        return False
    # The group is woken even if the item has settled, because it may have been the
    # last.
    group.next_index += 1
    group.unsettled += 1
    graph.settle(node)
    graph.wake(group)
    return True


def advance_group(graph: Graph, group: GroupFrame) -> None:
    """End a group when all its items are done."""
    if group.exhausted and not group.unsettled:
        set_phase(graph, group.node, group.last_failure[1])
        graph.settle(group.node)
