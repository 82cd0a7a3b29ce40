"""Calls of templates: retry groups and their attempts, pods, hooks and the deletions that they order."""

import heapq
from collections.abc import Iterator, Mapping
from typing import Any, Final

from riseml.engines.local.interpreter import label_selectors, variables
from riseml.engines.local.interpreter.events import Acquire, StartPod, Stop
from riseml.engines.local.interpreter.expressions import ExpressionError, expression
from riseml.engines.local.interpreter.graph import Ledger
from riseml.engines.local.interpreter.node import (
    DAG,
    DELETION,
    ERROR,
    FAILED,
    FINAL,
    PENDING,
    POD,
    RETRY,
    RUNNING,
    SUCCEEDED,
    TASK_GROUP,
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
from riseml.engines.local.interpreter.rules import Again, Ended, Later, may_retry
from riseml.engines.local.interpreter.tags import Lookup, fill
from riseml.engines.local.interpreter.templates import (
    DELETE_KIND,
    Hook,
    RetryRule,
    Task,
    Template,
)
from riseml.engines.local.interpreter.variables import UnresolvedError, lookup, resolve

# Seconds, as pods have without a word of theirs
GRACE: Final = 30.0
FAULTS: Final = (UnresolvedError, ExpressionError)


class Calls(Ledger):
    """What happens when a template is called; `timers` are the moments at which to look again at a node."""

    def __init__(self, document: Mapping[str, Any], uid: str) -> None:
        super().__init__(document, uid)
        self.timers: list[tuple[float, str]] = []

    def advance(self, frame: Frame) -> None:
        """Let a frame do what it may do now."""
        if isinstance(frame, RetryFrame):
            self._advance_retry(frame)

    # A template: a retry group, a DAG, a pod, or a deletion

    def call(self, place: CallSite, template_name: str, arguments: Arguments) -> Node:
        """Run a template; who gets the node settles it.

        Raises:
            UnresolvedError: an argument is missing.
        """
        template = self.program.templates[template_name]
        inputs = variables.inputs(template, dict(arguments), lookup(self.values))
        if template.retry is None:
            return self._attempt(place, template, inputs)
        node = self.make(
            place,
            RETRY,
            template.name,
            PENDING if template.mutexes else RUNNING,
            inputs=inputs,
        )
        frame = self.frames[node.id] = RetryFrame(
            node, template, place.dag, place.owner
        )
        if not template.mutexes:
            self._go_on(frame)
        elif self.strategy:
            self.mark(node, FAILED, self.stopped)
        else:
            self.wait_for_locks(node)
        return node

    def _go_on(self, frame: Frame) -> None:
        if dag := self.frames.get(frame.node.boundary):
            # Boundaries are DAGs
            assert isinstance(dag, DagFrame)  # noqa: S101
            self.react(frame.node, dag)
        if self.strategy:
            # At once: the next item needs its place
            self.advance(frame)
        else:
            self.wake(frame)

    @property
    def stopped(self) -> str:
        """What Argo says of a node that a shutdown keeps from going on."""
        return f"Stopped with strategy '{self.strategy}'"

    def _attempt(
        self,
        place: CallSite,
        template: Template,
        inputs: Pairs,
        *,
        retried: bool = False,
    ) -> Node:
        """Run a template once."""
        if template.kind == DELETE_KIND:
            return self.delete(place, template, inputs)
        if template.dag is not None:
            node = self.make(
                place, DAG, template.name, RUNNING, inputs=inputs, retried=retried
            )
            frame = self.frames[node.id] = DagFrame(
                node, template, template.dag, place.owner, self.known(node)
            )
            self._go_on(frame)
            return node
        node = self.make(
            place, POD, template.name, PENDING, inputs=inputs, retried=retried
        )
        if self.strategy:
            self.mark(node, FAILED, f"workflow shutdown with strategy: {self.strategy}")
        elif template.mutexes and not retried:
            self.wait_for_locks(node)
        else:
            self.launch(node)
        return node

    # Retries

    def _advance_retry(self, frame: RetryFrame) -> None:
        node, rule = frame.node, frame.template.retry
        # What makes it a retry group
        assert rule is not None  # noqa: S101
        while not node.waiting and (not frame.attempts or frame.attempts[-1].fulfilled):
            if frame.attempts and not self._again(frame, rule):
                return
            place = CallSite(
                f"{node.name}({len(frame.attempts)})", frame.dag, frame, (node.id,)
            )
            attempt = self._attempt(place, frame.template, node.inputs, retried=True)
            frame.attempts.append(attempt)
            self.settle(attempt)

    def _again(self, frame: RetryFrame, rule: RetryRule) -> bool:
        """Tell whether another attempt follows now; note when, or that the group has ended."""
        node, last = frame.node, frame.attempts[-1]

        def wanted() -> bool:
            known = {
                **self.known(last),
                **variables.retry_values(last),
                "retries": str(len(frame.attempts) - 1),
            }
            return expression(resolve(rule.expression, lookup(known, self.values)))(
                known
            )

        if self.strategy:
            verdict: Again | Later | Ended = Ended(FAILED, self.stopped)
        else:
            try:
                verdict = may_retry(
                    rule,
                    frame.attempts[0],
                    last,
                    wanted,
                    attempts=len(frame.attempts),
                    now=self.now,
                )
            except ExpressionError as fault:
                verdict = Ended(ERROR, str(fault))
        match verdict:
            case Again():
                if rule.backoff:
                    self.mark(node, node.phase, "")
                return True
            case Later(due, message):
                self.mark(node, node.phase, message)
                heapq.heappush(self.timers, (due, node.id))
            case Ended(phase, message):
                node.exit_code, node.outputs = last.exit_code, last.outputs
                self.mark(node, phase, message)
                self.settle(node)
        return False

    # Pods

    def launch(self, node: Node) -> None:
        """Ask for the pod of a node."""
        node.launched = True
        self.live[node.id] = None
        self.dirty.add(node.id)
        self.watch(node)
        self.actions.append(self.order(node))

    def watch(self, node: Node) -> None:
        """Look again when a pod has been pending too long. Argo does not for the attempts of a retry group."""
        template = self.template(node)
        for limit in (template.pending_timeout, template.timeout):
            if limit is not None and not node.retried and node.phase == PENDING:
                heapq.heappush(self.timers, (node.started_at + limit, node.id))

    def order(self, node: Node) -> StartPod:
        """Return the order to launch the pod of a node, every tag replaced."""
        template = self.template(node)
        look = self._look(node, template)
        body = fill(fill(template.body, look), look)
        if node.inputs:
            body["inputs"]["parameters"] = [
                {"name": name, "value": value} for name, value in node.inputs
            ]
        volumes = tuple(
            fill(volume, lookup(self.values)) for volume in self.program.volumes
        )
        return StartPod(
            node.id,
            pod_name(self.name, node.name, node.template),
            variables.attempt_of(node),
            body,
            volumes,
            self._deadline(node, template),
            started=node.running_at is not None,
        )

    def _look(self, node: Node, template: Template) -> Lookup:
        paths = {
            f"outputs.parameters.{output.name}.path": output.path
            for output in template.outputs
        }
        return lookup(self.known(node), paths, self.values)

    def _deadline(self, node: Node, template: Template) -> float | None:
        limits = [] if template.deadline is None else [template.deadline]
        if template.timeout is not None:
            limits.append(max(0.0, node.started_at + template.timeout - self.now))
        backoff = template.retry.backoff if template.retry else None
        if backoff and backoff.max_duration is not None and node.retried:
            first = self.find(f"{node.name[: node.name.rindex('(')]}(0)") or node
            limits.append(max(0.0, first.started_at + backoff.max_duration - self.now))
        return min(limits, default=None)

    def wait_for_locks(self, node: Node) -> None:
        """Ask for the locks of a node."""
        locks = self.locks(node)
        node.waiting = "\n".join(locks)
        self.mark(node, PENDING, f"Waiting for {locks[0]} lock. Lock status: 0/1")
        self.actions.append(Acquire(node.id, locks))
        self.watch(node)

    def stop(self, node: Node, reason: str, grace: float = GRACE) -> None:
        """Ask for the end of a node's pod."""
        self.actions.append(Stop(node.id, reason, grace))

    # Hooks and deletions

    def react(self, node: Node, dag: DagFrame) -> None:
        """Run the hooks of a task whose expressions have become true."""
        task = (
            None
            if node.hooked or node.retried or node.phase == PENDING
            else dag.task_of(node)
        )
        for hook in task.hooks if task else ():
            name = f"{node.name}.hooks.{hook.name}"
            try:
                if self.find(name) is None and self._fires(hook, dag):
                    arguments = variables.task_arguments(
                        hook.arguments, self.scope(dag), dag
                    )
                    template = self.program.templates[hook.template]
                    inputs = variables.inputs(
                        template, dict(arguments), lookup(self.values)
                    )
                    self.delete(CallSite(name, dag, None, (node.id,)), template, inputs)
            except FAULTS as fault:
                if node.phase != ERROR:
                    self.mark(node, ERROR, str(fault))

    def _fires(self, hook: Hook, dag: DagFrame) -> bool:
        look = self.scope(dag)
        parsed = expression(resolve(hook.expression, look))
        return parsed(
            {name: value for name in parsed.names if (value := look(name)) is not None}
        )

    def scope(self, dag: DagFrame) -> Lookup:
        """Return the meaning of tags in the tasks of a DAG."""
        own = lookup(dag.known, self.values)

        def look(tag: str) -> str | None:
            value = own(tag)
            return (
                variables.task_value(tag, dag, self.program.templates)
                if value is None
                else value
            )

        return look

    def delete(self, place: CallSite, template: Template, inputs: Pairs) -> Node:
        """Run a template that deletes pods; without an owner it is a hook. It is done at once."""
        phase, message = SUCCEEDED, ""
        if self.strategy:
            phase, message = FAILED, f"workflow shutdown with strategy: {self.strategy}"
        hooked = place.owner is None and place.dag is not None
        node = self.make(
            place,
            POD,
            template.name,
            phase,
            inputs=inputs,
            message=message,
            hooked=hooked,
        )
        if not self.strategy:
            node.exit_code = 0
            look = self._look(node, template)
            wanted = label_selectors.of_flags(
                [resolve(flag, look) for flag in template.body["resource"]["flags"]]
            )
            self.delete_pods(wanted.selector, wanted.grace)
        return node

    def delete_pods(
        self, selector: Mapping[str, str], grace: float | None = None
    ) -> None:
        """End the pods that have these labels; their nodes will be Error."""
        for node in [self.nodes[pod] for pod in self.live]:
            if (
                not node.stopped_by
                and node.phase not in FINAL
                and selector.items() <= self.labels(node).items()
            ):
                node.stopped_by = DELETION
                self.dirty.add(node.id)
                self.stop(node, "deleted", GRACE if grace is None else grace)

    def labels(self, node: Node) -> dict[str, str]:
        """Return the labels of a node's pod."""
        template = self.template(node)
        look = self._look(node, template)
        own = fill(
            fill(template.body.get("metadata", {}).get("labels", {}), look), look
        )
        shared = fill(self.program.pod_labels, lookup(self.values))
        return {**shared, **own, label_selectors.WORKFLOW: self.name}

    # Edges

    def outbound(self, node: Node) -> Iterator[str]:
        """Yield the last nodes of a task: those that list the tasks after it as children."""
        below = self.children.get(node.id, [])
        if node.type == DAG:
            dag = self.template(node).dag
            for target in dag.targets if dag else ():
                if (last := self.find(f"{node.name}.{target}")) is not None:
                    yield from self.outbound(last)
        elif node.type == TASK_GROUP and below:
            for child in below:
                yield from self.outbound(self.nodes[child])
        elif node.type == RETRY and below:
            yield below[-1]
        else:
            yield node.id

    def parents(self, frame: DagFrame, task: Task) -> tuple[str, ...]:
        """Return the nodes that list a task's node as a child."""
        if not task.needs:
            return (frame.node.id,)
        if task.name not in frame.parents:
            keys = (
                key for need in task.needs for key in self.outbound(frame.tasks[need])
            )
            frame.parents[task.name] = tuple(dict.fromkeys(keys))
        return frame.parents[task.name]
