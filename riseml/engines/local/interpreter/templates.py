"""A Workflow's templates, read once: what the interpreter looks at again and again.

    Program ── templates ──▶ Template ── dag ──▶ Dag ── tasks ──▶ Task ── hooks ──▶ Hook
                                      ── retry ─▶ RetryRule

`support.check` has seen the document before, so nothing here is in doubt.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from riseml.engines.local.interpreter.expressions import Expression, dependency

DAG_KIND: Final = "dag"
POD_KIND: Final = "container"
DELETE_KIND: Final = "resource"

_UNITS: Final = {
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
    """A template to run once `expression` is true of its task, each hook once."""

    name: str
    expression: str
    template: str
    arguments: tuple[tuple[str, str], ...]


class Task(NamedTuple):
    """One task of a DAG; `position` is its place in the order in which Argo starts tasks."""

    name: str
    template: str
    needs: tuple[str, ...]
    depends: Expression | None
    when: str
    items: Sequence[Any] | None
    arguments: tuple[tuple[str, str], ...]
    hooks: tuple[Hook, ...]
    position: int


class Dag(NamedTuple):
    """The tasks of a DAG template, in the order in which Argo starts them; `targets` are those nobody depends on."""

    tasks: Mapping[str, Task]
    order: tuple[Task, ...]
    dependents: Mapping[str, tuple[str, ...]]
    targets: tuple[str, ...]
    fail_fast: bool


class Backoff(NamedTuple):
    """How long to wait before another attempt, in seconds."""

    duration: float
    factor: int = 0
    cap: float | None = None
    max_duration: float | None = None


class RetryRule(NamedTuple):
    """A retryStrategy; `limit` counts further attempts, None: without end. `expression` still holds its tags."""

    limit: int | None
    policy: str
    expression: str
    backoff: Backoff | None


class Output(NamedTuple):
    """An output parameter: the file it is read from, and what it is where there is none."""

    name: str
    path: str
    default: str | None


class Template(NamedTuple):
    """One template; `body` is its JSON data. Durations are seconds."""

    name: str
    kind: str
    body: Mapping[str, Any]
    # Name to default
    inputs: Mapping[str, str | None]
    outputs: tuple[Output, ...]
    dag: Dag | None = None
    retry: RetryRule | None = None
    daemon: bool = False
    parallelism: int | None = None
    fail_fast: bool = False
    deadline: float | None = None
    timeout: float | None = None
    pending_timeout: float | None = None
    mutexes: tuple[
        tuple[str, str], ...
    ] = ()  # namespace ("" for the Workflow's own) and name


class Program(NamedTuple):
    """The templates of a document, by name, and what all of them share."""

    entrypoint: str
    arguments: tuple[tuple[str, str], ...]
    templates: dict[str, Template]
    volumes: Sequence[Mapping[str, Any]]
    pod_labels: Mapping[str, str]

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> "Program":
        """Read the `spec` of a Workflow."""
        return cls(
            spec["entrypoint"],
            parameters(spec.get("arguments")),
            {body["name"]: _template(body) for body in spec["templates"]},
            spec.get("volumes", ()),
            spec.get("podMetadata", {}).get("labels", {}),
        )


def parameters(arguments: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Return names and values of `arguments`, values as text."""
    return tuple(
        (each["name"], text(each["value"]))
        for each in (arguments or {}).get("parameters", ())
    )


def text(value: Any) -> str:
    """Return a parameter's value as Argo does: numbers and truth values may stand there without quotes."""
    return (
        value
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def seconds(duration: Any) -> float:
    """Return the seconds that `90`, `"90"` or `"1m30s"` mean.

    Raises:
        ValueError: it is no duration.
    """
    said = str(duration)
    if re.fullmatch(r"[+-]?\d+", said):
        return float(said)
    parts = _DURATION.findall(said)
    if not parts or "".join(number + unit for number, unit in parts) != said:
        raise ValueError(f"{said!r} is no duration")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _template(body: Mapping[str, Any]) -> Template:
    kind = next(kind for kind in (DAG_KIND, POD_KIND, DELETE_KIND) if kind in body)
    inputs = body.get("inputs", {}).get("parameters", ())
    return Template(
        body["name"],
        kind,
        body,
        {each["name"]: _default(each) for each in inputs},
        tuple(_output(each) for each in body.get("outputs", {}).get("parameters", ())),
        dag=read_dag(body["dag"]) if kind == DAG_KIND else None,
        retry=_retry(body["retryStrategy"]) if "retryStrategy" in body else None,
        daemon=bool(body.get("daemon")),
        parallelism=body.get("parallelism") or None,
        fail_fast=bool(body.get("failFast")),
        deadline=_optional(body.get("activeDeadlineSeconds")),
        timeout=_optional(body.get("timeout")),
        pending_timeout=_optional(body.get("pendingTimeout")),
        mutexes=tuple(
            (lock.get("namespace", ""), lock["name"])
            for lock in body.get("synchronization", {}).get("mutexes", ())
        ),
    )


def _default(parameter: Mapping[str, Any]) -> str | None:
    value = parameter.get("value", parameter.get("default"))
    return None if value is None else text(value)


def _output(parameter: Mapping[str, Any]) -> Output:
    source = parameter["valueFrom"]
    return Output(
        parameter["name"],
        source["path"],
        None if source.get("default") is None else text(source["default"]),
    )


def _optional(duration: Any) -> float | None:
    return None if duration in (None, "") else seconds(duration)


def _retry(strategy: Mapping[str, Any]) -> RetryRule:
    limit, wait = strategy.get("limit"), strategy.get("backoff")
    return RetryRule(
        None if limit is None else int(limit),
        # Argo's own rule: an expression alone is to decide alone.
        strategy.get("retryPolicy")
        or ("Always" if strategy.get("expression") else "OnFailure"),
        strategy.get("expression", ""),
        Backoff(
            seconds(wait["duration"]),
            int(wait.get("factor") or 0),
            _optional(wait.get("cap")),
            _optional(wait.get("maxDuration")),
        )
        if wait
        else None,
    )


def read_dag(body: Mapping[str, Any]) -> Dag:
    """Read a `dag`, whose tasks depend on each other without a circle."""
    bodies = {task["name"]: task for task in body["tasks"]}
    logic = {name: _depends(task) for name, task in bodies.items()}
    needs = {name: needs_of(expression) for name, expression in logic.items()}
    needed = {need for each in needs.values() for need in each}
    targets = tuple(sorted(bodies.keys() - needed))
    tasks: dict[str, Task] = {}
    for name in _order(targets, needs):
        tasks[name] = _task(bodies[name], needs[name], logic[name], len(tasks))
    dependents: dict[str, list[str]] = {name: [] for name in tasks}
    for name in tasks:
        for need in needs[name]:
            dependents[need].append(name)
    return Dag(
        tasks,
        tuple(tasks.values()),
        {name: tuple(after) for name, after in dependents.items()},
        targets,
        body.get("failFast") is not False,
    )


def needs_of(depends: Expression | None) -> tuple[str, ...]:
    """Return the tasks that an expression of `depends` names, sorted."""
    return (
        tuple(sorted({name.partition(".")[0] for name in depends.names}))
        if depends
        else ()
    )


def _depends(task: Mapping[str, Any]) -> Expression | None:
    said = task.get("depends") or " && ".join(task.get("dependencies", ()))
    return dependency(said) if said else None


def _order(
    targets: Iterable[str], needs: Mapping[str, tuple[str, ...]]
) -> Iterable[str]:
    """Yield all tasks, each after those it needs: targets by name, as Argo visits them."""
    seen: set[str] = set()
    for target in targets:
        stack = [(target, iter(needs[target]))]
        while stack:
            name, rest = stack[-1]
            following = next((need for need in rest if need not in seen), None)
            if following is not None:
                stack.append((following, iter(needs[following])))
            else:
                stack.pop()
                if name not in seen:
                    seen.add(name)
                    yield name


def _task(
    body: Mapping[str, Any],
    needs: tuple[str, ...],
    depends: Expression | None,
    position: int,
) -> Task:
    hooks = tuple(
        Hook(
            name,
            hook["expression"],
            hook["template"],
            parameters(hook.get("arguments")),
        )
        for name, hook in body.get("hooks", {}).items()
    )
    return Task(
        body["name"],
        body["template"],
        needs,
        depends,
        body.get("when", ""),
        body.get("withItems"),
        parameters(body.get("arguments")),
        hooks,
        position,
    )
