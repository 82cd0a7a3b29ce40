"""What must hold between the parts of a Workflow: names that exist, tags that resolve, expressions that can be read.

`shapes` has accepted every field by itself.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from riseml.engines.local.interpreter import expressions, label_selectors
from riseml.engines.local.interpreter.expressions import Expression, ExpressionError
from riseml.engines.local.interpreter.tags import inner, replace, tags
from riseml.engines.local.interpreter.templates import needs_of
from riseml.engines.local.interpreter.variables import LAST_RETRY

Data = Mapping[str, Any]

_RESOLVED: Final = (
    "item.",
    "steps.",
    "inputs.",
    "outputs.",
    "pod.",
    "workflow.",
    "tasks.",
)
"""Tags that begin so are Argo's; any other tag is somebody else's text and passes."""

_NAME: Final = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_KINDS: Final = ("dag", "container", "resource")
_TASK_VALUES: Final = ("status", "id", "exitCode")


def faults(document: Data) -> Iterator[str]:
    """Yield what does not fit together, under its path."""
    metadata, spec = document["metadata"], document["spec"]
    if not isinstance(metadata.get("name"), str) or not metadata["name"]:
        yield "metadata.name: the local engine runs named Workflows only"
        return
    templates = {each["name"]: each for each in spec["templates"]}
    yield from _twice("spec.templates", [each["name"] for each in spec["templates"]])
    if spec["entrypoint"] not in templates:
        yield f"spec.entrypoint: there is no template {spec['entrypoint']!r}"
        return
    shared = _workflow_tags(document)
    for each in spec.get("volumes", ()):
        yield from _tags(f"spec.volumes[{each['name']}]", each, shared)
    for name, template in templates.items():
        yield from _template(f"spec.templates[{name}]", template, templates, shared)
    entry = templates[spec["entrypoint"]]
    yield from _arguments("spec.arguments", spec.get("arguments", {}), entry)
    yield from _recursion(templates, spec["entrypoint"])


def _twice(path: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{path}[{name}]: the name is there {count} times"


def _workflow_tags(document: Data) -> frozenset[str]:
    metadata, spec = document["metadata"], document["spec"]
    kinds = {
        "labels": metadata.get("labels") or {},
        "annotations": metadata.get("annotations") or {},
        "parameters": {
            each["name"]: None
            for each in spec.get("arguments", {}).get("parameters", ())
        },
    }
    named = {
        f"workflow.{kind}.{name}" for kind, names in kinds.items() for name in names
    }
    plain = {"name", "namespace", "uid", "mainEntrypoint", "serviceAccountName"}
    return frozenset(named | {f"workflow.{name}" for name in plain})


def _tags(
    path: str,
    value: Any,
    known: Iterable[str],
    more: Callable[[str], bool] = lambda _: False,
) -> Iterator[str]:
    """Yield the tags in a value that Argo would not resolve, or that need more than replacing."""
    for tag in dict.fromkeys(tags(value)):
        if inner(tag).startswith("="):
            yield f"{path}: the local engine does not evaluate {{{{{tag}}}}}"
        elif (
            inner(tag).startswith(_RESOLVED)
            and inner(tag) not in known
            and not more(inner(tag))
        ):
            yield f"{path}: {{{{{tag}}}}} stands for nothing here"


# One template


def _template(
    path: str, template: Data, templates: Mapping[str, Data], shared: frozenset[str]
) -> Iterator[str]:
    kinds = [kind for kind in _KINDS if template.get(kind)]
    if len(kinds) != 1:
        yield f"{path}: a template is one of {', '.join(_KINDS)}, not {' and '.join(kinds) or 'none of them'}"
        return
    yield from _combinations(path, template, kinds[0])
    inputs = template.get("inputs", {}).get("parameters", ())
    outputs = template.get("outputs", {}).get("parameters", ())
    yield from _twice(f"{path}.inputs.parameters", [each["name"] for each in inputs])
    yield from _twice(f"{path}.outputs.parameters", [each["name"] for each in outputs])
    known = (
        shared
        | {f"inputs.parameters.{each['name']}" for each in inputs}
        | {"node.name", "pod.name"}
    )
    known |= {
        f"inputs.artifacts.{each['name']}.path"
        for each in template.get("inputs", {}).get("artifacts", ())
    }
    known |= {f"outputs.parameters.{each['name']}.path" for each in outputs}
    if retry := template.get("retryStrategy"):
        yield from _expression(
            f"{path}.retryStrategy.expression",
            retry.get("expression", ""),
            {*LAST_RETRY, "retries"},
        )
    if kinds[0] == "dag":
        yield from _tags(
            path, {key: value for key, value in template.items() if key != "dag"}, known
        )
        yield from _dag(f"{path}.dag", template, templates, known)
    else:
        yield from _tags(path, template, known)
        yield from _mounts(path, template)
    if kinds[0] == "resource":
        yield from _flags(f"{path}.resource.flags", template["resource"]["flags"])


_ONLY: Final = {
    "container": (
        "initContainers", "sidecars", "volumes", "daemon", "activeDeadlineSeconds", "timeout", "pendingTimeout",
        "synchronization", "outputs", "podSpecPatch",
    ),
    "dag": ("parallelism", "failFast"),
}  # fmt: skip


def _combinations(path: str, template: Data, kind: str) -> Iterator[str]:
    """Yield fields that are fine alone, but mean nothing, or something else, together."""
    for only, names in _ONLY.items():
        for field in names:
            if template.get(field) and kind != only:
                yield f"{path}.{field}: the local engine knows it for {only} templates only"
    if template.get("inputs", {}).get("artifacts") and kind != "container":
        yield f"{path}.inputs.artifacts: the local engine knows them for container templates only"
    yield from _retry_combinations(path, template, kind)
    if not _is_host(template.get("podSpecPatch") or "{}"):
        yield f"{path}.podSpecPatch: the local engine knows a JSON map of hostname and subdomain only"


def _retry_combinations(path: str, template: Data, kind: str) -> Iterator[str]:
    retry = template.get("retryStrategy")
    if not retry:
        return
    for field in ("daemon", "pendingTimeout"):
        if template.get(field):
            yield f"{path}.{field}: Argo does not honour it together with a retryStrategy"
    if kind == "resource":
        yield f"{path}.retryStrategy: a deletion is done once"
    if retry.get("backoff", {}).get("maxDuration") and kind == "dag":
        yield f"{path}.retryStrategy.backoff.maxDuration: the local engine knows it for containers only"


def _is_host(patch: str) -> bool:
    try:
        data = json.loads(replace(patch, lambda _: "x"))
    except ValueError:
        return False
    return isinstance(data, Mapping) and not data.keys() - {"hostname", "subdomain"}


def _mounts(path: str, template: Data) -> Iterator[str]:
    containers = [*template.get("initContainers", ()), *template.get("sidecars", ())]
    yield from _twice(path, ["main", *(each["name"] for each in containers)])


def _flags(path: str, flags: list[str]) -> Iterator[str]:
    try:
        label_selectors.deletion_of_flags(
            [replace(flag, lambda _: "x") for flag in flags]
        )
    except ValueError as error:
        yield f"{path}: {error}"


def _expression(path: str, text: str, names: Iterable[str]) -> Iterator[str]:
    if not text:
        return
    try:
        unknown = expressions.expression(
            replace(text, lambda _: expressions.TAG)
        ).names - set(names)
    except ExpressionError as error:
        yield f"{path}: {error}"
        return
    for name in sorted(unknown):
        yield f"{path}: {name!r} has no value here"


# The tasks of a DAG


def _dag(
    path: str, template: Data, templates: Mapping[str, Data], known: frozenset[str]
) -> Iterator[str]:
    tasks = {task["name"]: task for task in template["dag"]["tasks"]}
    yield from _twice(
        f"{path}.tasks", [task["name"] for task in template["dag"]["tasks"]]
    )
    needs: dict[str, tuple[str, ...]] = {}
    for name, task in tasks.items():
        below = f"{path}.tasks[{name}]"
        if not _NAME.fullmatch(name):
            yield f"{below}: a task's name is made of letters, digits and hyphens"
        logic = _depends(task)
        if isinstance(logic, str):
            yield f"{below}.depends: {logic}"
            logic = None
        needs[name] = needs_of(logic)
        for need in needs[name]:
            if need not in tasks:
                yield f"{below}.depends: there is no task {need!r}"
    if any(need not in tasks for each in needs.values() for need in each):
        return
    if circle := _circle(needs, tasks):
        yield f"{path}.tasks: {' needs '.join(circle)}"
        return
    for name, task in tasks.items():
        yield from _task(
            f"{path}.tasks[{name}]",
            task,
            templates,
            known,
            _Around(tasks, templates, needs),
        )
    yield from _fail_fast(path, template, templates)


def _depends(task: Data) -> Expression | str | None:
    """Return the logic of a task's dependencies, or what is wrong with it."""
    if task.get("depends") and task.get("dependencies"):
        return "there are dependencies as well"
    said = task.get("depends") or " && ".join(task.get("dependencies", ()))
    try:
        return expressions.dependency(said) if said else None
    except ExpressionError as error:
        return str(error)


def _circle(needs: Mapping[str, Iterable[str]], names: Iterable[str]) -> list[str]:
    """Return names that need each other in a circle, if any do."""
    done: set[str] = set()
    for start in names:
        path: list[str] = []
        stack = [(start, iter(needs[start]))] if start not in done else []
        while stack:
            name, rest = stack[-1]
            if not path or path[-1] != name:
                path.append(name)
            following = next((each for each in rest if each not in done), None)
            if following is None:
                done.add(path.pop())
                stack.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            else:
                stack.append((following, iter(needs[following])))
    return []


class _Around:
    """The DAG that a task is in, as far as its tags may look."""

    def __init__(
        self,
        tasks: Mapping[str, Data],
        templates: Mapping[str, Data],
        needs: Mapping[str, Iterable[str]],
    ) -> None:
        self.tasks, self.templates, self.needs = tasks, templates, needs

    def ancestors(self, task: str) -> set[str]:
        """Return the tasks that end before `task` begins."""
        found: set[str] = set()
        stack = list(self.needs[task])
        while stack:
            if (name := stack.pop()) not in found:
                found.add(name)
                stack.extend(self.needs[name])
        return found

    def knows(self, tag: str, tasks: Iterable[str]) -> bool:
        """Tell whether a tag names a value of one of `tasks`."""
        name, _, what = tag.removeprefix("tasks.").partition(".")
        if name not in tasks or not tag.startswith("tasks."):
            return False
        if (
            what.startswith("outputs.parameters.")
            and "withItems" not in self.tasks[name]
        ):
            template = self.templates.get(self.tasks[name]["template"], {})
            outputs = template.get("outputs", {}).get("parameters", ())
            return what.removeprefix("outputs.parameters.") in [
                each["name"] for each in outputs
            ]
        return what in _TASK_VALUES


def _task(
    path: str,
    task: Data,
    templates: Mapping[str, Data],
    known: frozenset[str],
    around: _Around,
) -> Iterator[str]:
    items = task.get("withItems")
    item = _item_tags(items) if items else set()
    template = templates.get(task["template"])
    if template is None:
        yield f"{path}.template: there is no template {task['template']!r}"
    else:
        yield from _arguments(f"{path}.arguments", task.get("arguments", {}), template)
        if items and template.get("daemon"):
            yield f"{path}.withItems: the local engine runs single daemons only"
    before = around.ancestors(task["name"])

    def of_tasks(tag: str) -> bool:
        return around.knows(tag, before)

    said = {key: value for key, value in task.items() if key in ("arguments", "when")}
    yield from _tags(path, said, known | item, of_tasks)
    try:
        expressions.condition(
            replace(task.get("when") or "true", lambda _: expressions.TAG)
        )
    except ExpressionError as error:
        yield f"{path}.when: {error}"
    for name, hook in task.get("hooks", {}).items():
        if name == "exit":
            yield f"{path}.hooks[{name}]: the local engine has no exit handlers"
        yield from _hook(f"{path}.hooks[{name}]", hook, task, known, around)


def _item_tags(items: Iterable[Any]) -> set[str]:
    """Return the tags that every item has."""
    each = [
        {f"item.{key}" for key in item} if isinstance(item, Mapping) else set()
        for item in items
    ]
    return set.intersection(*each) | {"item"}


def _hook(
    path: str, hook: Data, task: Data, known: frozenset[str], around: _Around
) -> Iterator[str]:
    if "withItems" in task:
        yield f"{path}: the local engine knows hooks of single tasks only"
    seen = around.ancestors(task["name"]) | {task["name"]}
    yield from _tags(path, hook, known, lambda tag: around.knows(tag, seen))
    names = {f"tasks.{each}.{what}" for each in seen for what in ("status", "exitCode")}
    yield from _expression(f"{path}.expression", hook["expression"], names | known)
    template = around.templates.get(hook["template"])
    if template is None:
        yield f"{path}.template: there is no template {hook['template']!r}"
        return
    if not template.get("resource"):
        yield f"{path}.template: the local engine runs deletions of pods as hooks, nothing else"
    yield from _arguments(f"{path}.arguments", hook.get("arguments", {}), template)


def _fail_fast(
    path: str, template: Data, templates: Mapping[str, Data]
) -> Iterator[str]:
    for task in template["dag"]["tasks"]:
        if template.get("failFast") and "dag" in templates.get(task["template"], {}):
            yield f"{path}.tasks[{task['name']}]: with the template's failFast, Argo would leave its pods to themselves"
        if template.get("parallelism") and task.get("hooks"):
            yield f"{path}.tasks[{task['name']}].hooks: a hook that finds no place by parallelism fails its task"


# Between templates


def _arguments(path: str, arguments: Data, template: Data) -> Iterator[str]:
    given = [each["name"] for each in arguments.get("parameters", ())]
    yield from _twice(f"{path}.parameters", given)
    for each in arguments.get("parameters", ()):
        if each.get("value") is None:
            yield f"{path}.parameters[{each['name']}]: value is missing"
    for each in template.get("inputs", {}).get("parameters", ()):
        if each["name"] not in given and each.get("value", each.get("default")) is None:
            yield f"{path}: template {template['name']!r} needs {each['name']!r}"


def _recursion(templates: Mapping[str, Data], entrypoint: str) -> Iterator[str]:
    calls = {
        name: tuple(
            task["template"]
            for task in body.get("dag", {}).get("tasks", ())
            if task["template"] in templates
        )
        for name, body in templates.items()
    }
    if circle := _circle(calls, [entrypoint, *templates]):
        yield f"spec.templates: {' calls '.join(circle)}"
