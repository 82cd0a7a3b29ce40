"""Templates of a Workflow, read once because the interpreter uses them for every event.

    Program ─ templates ─▶ Template ─ dag ───▶ Dag ─ tasks ─▶ Task ─ hooks ─▶ Hook
                                    ─ retry ─▶ RetryRule

`validate.check` has accepted the document, so nothing is checked here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, Final, NamedTuple

from riseml.engines.local.interpreter.expressions import Expression, dependency
from riseml.engines.local.interpreter.tags import Filler, filler

DAG_KIND: Final = "dag"
POD_KIND: Final = "container"
DELETE_KIND: Final = "resource"

_SECONDS_OF_UNIT: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


class Hook(NamedTuple):
    """A template that runs once, when `expression` becomes true for its task."""

    name: str
    expression: str
    template: str
    arguments: tuple[tuple[str, str], ...]


class Task(NamedTuple):
    """One task of a DAG; `position` is its index in the order of starting.

    A task with `items`, or whose `param` is JSON text of a list of them, is a group.
    """

    name: str
    template: str
    needs: tuple[str, ...]
    depends: Expression | None
    when: str
    items: Sequence[Any] | None
    param: str
    arguments: tuple[tuple[str, str], ...]
    hooks: tuple[Hook, ...]
    position: int

    @property
    def is_group(self) -> bool:
        """Whether the task has a node for each of several items."""
        return self.items is not None or bool(self.param)


class Dag(NamedTuple):
    """The tasks of a DAG template.

    Attributes:
        order: The tasks in the order in which Argo starts them.
        dependents: The names of the tasks that need a task.
        targets: The names of the tasks that no other task needs.
    """

    tasks: Mapping[str, Task]
    order: tuple[Task, ...]
    dependents: Mapping[str, tuple[str, ...]]
    targets: tuple[str, ...]
    fail_fast: bool


class Backoff(NamedTuple):
    """The time before another attempt, in seconds; infinite means no limit."""

    duration: float
    factor: int = 0
    cap: float = inf
    max_duration: float = inf


class RetryRule(NamedTuple):
    """A retryStrategy. `expression` still contains its tags.

    `limit` is the number of further attempts, infinite without a limit.
    """

    limit: float
    policy: str
    expression: str
    backoff: Backoff | None


class Output(NamedTuple):
    """An output parameter: its file, and its value if there is no such file."""

    name: str
    path: str
    default: str | None


class Template(NamedTuple):
    """One template; durations are seconds. Numbers without a limit are infinite.

    Attributes:
        body: The JSON data of the template.
        fill: Returns the `body` of a pod with all tags replaced; both share parts.
        inputs: The defaults of the inputs, by name.
        mutexes: Namespace (empty for the Workflow's own) and name of each mutex.
    """

    name: str
    kind: str
    body: Mapping[str, Any]
    fill: Filler
    inputs: Mapping[str, str | None]
    outputs: tuple[Output, ...]
    dag: Dag | None = None
    retry: RetryRule | None = None
    daemon: bool = False
    parallelism: float = inf
    fail_fast: bool = False
    deadline: float = inf
    timeout: float = inf
    pending_timeout: float = inf
    mutexes: tuple[tuple[str, str], ...] = ()


class Program(NamedTuple):
    """The templates of a Workflow by name, and the fields that all of them share."""

    entrypoint: str
    arguments: tuple[tuple[str, str], ...]
    templates: dict[str, Template]
    volumes: Sequence[Mapping[str, Any]]
    pod_labels: Mapping[str, str]

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> "Program":
        """Read the `spec` of a Workflow."""
        templates = map(_template, spec["templates"])
        return cls(
            entrypoint=spec["entrypoint"],
            arguments=_arguments(spec),
            templates={template.name: template for template in templates},
            volumes=spec.get("volumes", ()),
            pod_labels=spec.get("podMetadata", {}).get("labels", {}),
        )


def _arguments(call: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return names and values of the arguments of a call, values as text."""
    parameters = call.get("arguments", {}).get("parameters", ())
    return tuple(
        (parameter["name"], text(parameter["value"])) for parameter in parameters
    )


def text(value: Any) -> str:
    """Return the value of a parameter as text; numbers and booleans need no quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def optional_text(value: Any) -> str | None:
    """Return a value as text, None without a value."""
    return None if value is None else text(value)


def seconds(duration: Any) -> float:
    """Return the seconds in `90`, `"90"` or `"1m30s"`.

    Raises:
        ValueError: the value is not a duration.
    """
    duration_text = str(duration)
    if re.fullmatch(r"[+-]?\d+", duration_text):
        return float(duration_text)
    total = 0.0
    matched = ""
    for number, unit in _DURATION.findall(duration_text):
        total += float(number) * _SECONDS_OF_UNIT[unit]
        matched += number + unit
    if not matched or matched != duration_text:
        raise ValueError(f"{duration_text!r} is not a duration")
    return total


def _limit(duration: Any) -> float:
    return inf if duration in (None, "") else seconds(duration)


def _template(body: Mapping[str, Any]) -> Template:
    kind = next(kind for kind in (DAG_KIND, POD_KIND, DELETE_KIND) if kind in body)
    inputs = body.get("inputs", {}).get("parameters", ())
    outputs = body.get("outputs", {}).get("parameters", ())
    mutexes = body.get("synchronization", {}).get("mutexes", ())
    return Template(
        name=body["name"],
        kind=kind,
        body=body,
        fill=_pod_filler(kind, body),
        inputs={parameter["name"]: _default(parameter) for parameter in inputs},
        outputs=tuple(map(_output, outputs)),
        dag=read_dag(body["dag"]) if kind == DAG_KIND else None,
        retry=_retry_rule(body.get("retryStrategy")),
        daemon=bool(body.get("daemon")),
        # Argo treats 0 like a missing limit.
        parallelism=body.get("parallelism") or inf,
        fail_fast=bool(body.get("failFast")),
        deadline=_limit(body.get("activeDeadlineSeconds")),
        timeout=_limit(body.get("timeout")),
        pending_timeout=_limit(body.get("pendingTimeout")),
        mutexes=tuple((mutex.get("namespace", ""), mutex["name"]) for mutex in mutexes),
    )


def _pod_filler(kind: str, body: Mapping[str, Any]) -> Filler:
    # Only pods are filled as a whole, and a DAG may have very many items.
    fill_body = filler(body) if kind == POD_KIND else None
    return fill_body or (lambda _: body)


def _default(parameter: Mapping[str, Any]) -> str | None:
    return optional_text(parameter.get("value", parameter.get("default")))


def _output(parameter: Mapping[str, Any]) -> Output:
    source = parameter["valueFrom"]
    return Output(
        name=parameter["name"],
        path=source["path"],
        default=optional_text(source.get("default")),
    )


def _retry_rule(strategy: Mapping[str, Any] | None) -> RetryRule | None:
    if strategy is None:
        return None
    limit = strategy.get("limit")
    expression = strategy.get("expression", "")
    # As in Argo, an expression decides alone unless the document names a policy.
    default_policy = "Always" if expression else "OnFailure"
    return RetryRule(
        limit=inf if limit is None else int(limit),
        policy=strategy.get("retryPolicy") or default_policy,
        expression=expression,
        backoff=_backoff(strategy.get("backoff")),
    )


def _backoff(backoff: Mapping[str, Any] | None) -> Backoff | None:
    if not backoff:
        return None
    return Backoff(
        duration=seconds(backoff["duration"]),
        factor=int(backoff.get("factor") or 0),
        cap=_limit(backoff.get("cap")),
        max_duration=_limit(backoff.get("maxDuration")),
    )


def read_dag(body: Mapping[str, Any]) -> Dag:
    """Read a `dag` whose tasks do not depend on each other in a circle."""
    bodies = {task["name"]: task for task in body["tasks"]}
    depends = {name: depends_of(task) for name, task in bodies.items()}
    needs = {name: needs_of(expression) for name, expression in depends.items()}
    needed = set[str]().union(*needs.values())
    # Argo visits the targets by name, and starts what each of them needs before it.
    targets = tuple(sorted(bodies.keys() - needed))
    tasks: dict[str, Task] = {}
    dependents: dict[str, list[str]] = {name: [] for name in bodies}
    for name in _start_order(targets, needs):
        tasks[name] = _task(bodies[name], needs[name], depends[name], len(tasks))
        for need in needs[name]:
            dependents[need].append(name)
    return Dag(
        tasks=tasks,
        order=tuple(tasks.values()),
        dependents={name: tuple(names) for name, names in dependents.items()},
        targets=targets,
        # Unlike the failFast of a template, this one is on by default.
        fail_fast=body.get("failFast") is not False,
    )


def needs_of(depends: Expression | None) -> tuple[str, ...]:
    """Return the names of the tasks in a `depends` expression, sorted."""
    if depends is None:
        return ()
    tasks = {name.partition(".")[0] for name in depends.names}
    return tuple(sorted(tasks))


def depends_of(task: Mapping[str, Any]) -> Expression | None:
    """Parse the `depends` of a task, or what its `dependencies` mean.

    Raises:
        ExpressionError: it cannot be parsed.
    """
    depends_text = task.get("depends") or " && ".join(task.get("dependencies", ()))
    return dependency(depends_text) if depends_text else None


def _start_order(
    targets: Iterable[str], needs: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Yield all tasks in the order in which Argo starts them: needs first."""
    seen: set[str] = set()
    for target in targets:
        stack = [(target, iter(needs[target]))]
        while stack:
            name, remaining_needs = stack[-1]
            need = next((need for need in remaining_needs if need not in seen), None)
            if need is not None:
                stack.append((need, iter(needs[need])))
                continue
            stack.pop()
            # A task that several others need may be on the stack more than once.
            if name not in seen:
                seen.add(name)
                yield name


def _task(
    body: Mapping[str, Any],
    needs: tuple[str, ...],
    depends: Expression | None,
    position: int,
) -> Task:
    hooks = [_hook(name, hook) for name, hook in body.get("hooks", {}).items()]
    return Task(
        name=body["name"],
        template=body["template"],
        needs=needs,
        depends=depends,
        when=body.get("when", ""),
        items=body.get("withItems"),
        param=body.get("withParam", ""),
        arguments=_arguments(body),
        hooks=tuple(hooks),
        position=position,
    )


def _hook(name: str, body: Mapping[str, Any]) -> Hook:
    return Hook(
        name=name,
        expression=body["expression"],
        template=body["template"],
        arguments=_arguments(body),
    )
