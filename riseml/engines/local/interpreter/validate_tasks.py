"""Tasks of a DAG template: dependencies, arguments, conditions, items and hooks."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import filterfalse, product
from typing import Any, Final, NamedTuple

from riseml.engines.local.interpreter.expressions import ExpressionError
from riseml.engines.local.interpreter.tags import inner, tags
from riseml.engines.local.interpreter.templates import depends_of, needs_of
from riseml.engines.local.interpreter.validate_names import (
    Data,
    argument_faults,
    find_cycle,
    names_of,
    parameters_of,
    prefixed,
)
from riseml.engines.local.interpreter.validate_tags import (
    expression_faults,
    tag_faults,
    when_faults,
)

# Argo's parser of `depends` takes them for its own words.
_RESERVED_NAMES: Final = frozenset(
    [
        "in",
        "and",
        "or",
        "not",
        "let",
        "matches",
        "contains",
        "startsWith",
        "endsWith",
        "nil",
        "true",
        "false",
        "if",
        "else",
    ]
)
_ITEM_RESULTS: Final = (".AnySucceeded", ".AllFailed")
_TASK_ATTRIBUTES: Final = ("status", "id")
_OUTPUT_PREFIX: Final = "outputs.parameters."
_ITEM: Final = re.compile(r"item(?:\.|$)")


class _Dag(NamedTuple):
    """A DAG, as far as the checks of its tasks need it.

    Attributes:
        needs: The names of the tasks that each task needs.
        tags: The tags that have a value everywhere in the template.
    """

    tasks: Mapping[str, Data]
    templates: Mapping[str, Data]
    needs: Mapping[str, tuple[str, ...]]
    tags: frozenset[str]

    def ancestors(self, task: str) -> set[str]:
        """Return the names of the tasks that end before `task` starts."""
        ancestors: set[str] = set()
        stack = list(self.needs[task])
        while stack:
            name = stack.pop()
            if name not in ancestors:
                ancestors.add(name)
                stack.extend(self.needs[name])
        return ancestors

    def is_task_tag(self, tag: str, tasks: Collection[str]) -> bool:
        """Tell whether a tag has a value that belongs to one of `tasks`."""
        if not tag.startswith("tasks."):
            return False
        name, _, attribute = tag.removeprefix("tasks.").partition(".")
        if name not in tasks:
            return False
        task = self.tasks[name]
        template = self.templates.get(task["template"], {})
        if attribute == "exitCode":
            return "dag" not in template
        # The outputs of items have no single value.
        if attribute.startswith(_OUTPUT_PREFIX) and not _is_group(task):
            outputs = names_of(parameters_of(template, "outputs"))
            return attribute.removeprefix(_OUTPUT_PREFIX) in outputs
        return attribute in _TASK_ATTRIBUTES


def dag_faults(
    path: str, template: Data, templates: Mapping[str, Data], tags: frozenset[str]
) -> Iterator[str]:
    """Yield what is wrong with the tasks of a DAG template."""
    task_list = template["dag"]["tasks"]
    tasks = {task["name"]: task for task in task_list}
    needs: dict[str, tuple[str, ...]] = {}
    missing_results = _missing_results(tasks.values())
    for name, task in tasks.items():
        needs[name], messages = _read_needs(task, tasks, missing_results)
        for message in messages:
            yield f"{path}.tasks[{name}]{message}"
    # Without tasks that exist there is nothing to follow.
    needed = set[str]().union(*needs.values())
    if not needed <= tasks.keys():
        return
    for name in filter(_starts_with_digit, tasks if needed else ()):
        yield f"{path}.tasks[{name}]: where tasks have needs, a name starts with a letter"
    cycle = find_cycle(needs, tasks)
    if cycle:
        yield f"{path}.tasks: {' needs '.join(cycle)}"
        return
    dag = _Dag(tasks, templates, needs, tags)
    for name, task in tasks.items():
        yield from _task_faults(f"{path}.tasks[{name}]", task, dag)
    yield from _fail_fast_faults(path, template, templates)


def _starts_with_digit(name: str) -> bool:
    return name[0].isdigit()


def _missing_results(tasks: Iterable[Data]) -> set[str]:
    """Return the results that only tasks with items would have."""
    single_tasks = names_of(filterfalse(_is_group, tasks))
    return set(map("".join, product(single_tasks, _ITEM_RESULTS)))


def _read_needs(
    task: Data, tasks: Collection[str], missing_results: Collection[str]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the tasks that a task needs, and the faults relative to its path."""
    messages = []
    if task.get("depends") and task.get("dependencies"):
        messages.append(".depends: a task has either `depends` or `dependencies`")
        return (), messages
    try:
        depends = depends_of(task)
    except ExpressionError as error:
        messages.append(f".depends: {error}")
        return (), messages
    if depends is None:
        return (), messages
    for result in sorted(depends.names.intersection(missing_results)):
        messages.append(f".depends: {result} needs a task with items")
    needs = needs_of(depends)
    for need in sorted(set(needs).difference(tasks)):
        messages.append(f".depends: there is no task {need!r}")
    for need in _RESERVED_NAMES.intersection(needs):
        messages.append(f".depends: Argo cannot read the name {need!r} here")
    return needs, messages


def _task_faults(path: str, task: Data, dag: _Dag) -> Iterator[str]:
    yield from _call_faults(path, task, dag)
    called_template = dag.templates.get(task["template"], {})
    if _is_group(task) and called_template.get("daemon"):
        yield f"{path}: the local engine runs daemons of single tasks only"
    if task.get("withParam") and "withItems" in task:
        yield f"{path}.withParam: a task has either withItems or withParam"
    # Only tasks that end before this one have values when it starts.
    ancestors = dag.ancestors(task["name"])
    fields = {key: task[key] for key in ("arguments", "when") if key in task}
    is_task_tag = partial(dag.is_task_tag, tasks=ancestors)
    yield from tag_faults(
        path, fields, dag.tags | _item_tags(task, fields), is_task_tag
    )
    param = task.get("withParam", "")
    yield from tag_faults(f"{path}.withParam", param, dag.tags, is_task_tag)
    yield from when_faults(f"{path}.when", task.get("when", ""))
    for name, hook in task.get("hooks", {}).items():
        hook_path = f"{path}.hooks[{name}]"
        if name == "exit":
            yield f"{hook_path}: the local engine does not run exit handlers"
        yield from _hook_faults(hook_path, hook, task, dag)


def _call_faults(path: str, call: Data, dag: _Dag) -> Iterator[str]:
    """Yield what is wrong with the template and the arguments of a task or a hook."""
    template = dag.templates.get(call["template"])
    if template is None:
        yield f"{path}.template: there is no template {call['template']!r}"
    else:
        yield from argument_faults(path, call, template)


def _is_group(task: Data) -> bool:
    """Return whether a task has a node for each of several items."""
    return "withItems" in task or bool(task.get("withParam"))


def _item_tags(task: Data, fields: Data) -> set[str]:
    """Return the tags that have a value for every item of a task."""
    items = task.get("withItems")
    if not items:
        # The items of a withParam are known only while it runs.
        used = map(inner, tags(fields)) if task.get("withParam") else ()
        return set(filter(_ITEM.match, used))
    # Items may have different keys; a tag must have a value for every one.
    common_keys = set.intersection(*map(_keys_of_item, items))
    return {"item", *prefixed("item.", common_keys)}


def _keys_of_item(item: Any) -> set[str]:
    return set(item) if isinstance(item, Mapping) else set()


def _hook_faults(path: str, hook: Data, task: Data, dag: _Dag) -> Iterator[str]:
    if _is_group(task):
        yield f"{path}: the local engine supports hooks of single tasks only"
    # A hook runs when its own task has a phase, so it may refer to that as well.
    tasks = {task["name"], *dag.ancestors(task["name"])}
    yield from tag_faults(path, hook, dag.tags, lambda tag: dag.is_task_tag(tag, tasks))
    names = {
        *dag.tags,
        *prefixed("tasks.", tasks, ".status"),
        *prefixed("tasks.", tasks, ".exitCode"),
    }
    yield from expression_faults(f"{path}.expression", hook["expression"], names)
    yield from _call_faults(path, hook, dag)
    called_template = dag.templates.get(hook["template"])
    if called_template and not called_template.get("resource"):
        yield f"{path}.template: the local engine runs only deletions of pods as hooks"


def _fail_fast_faults(
    path: str, template: Data, templates: Mapping[str, Data]
) -> Iterator[str]:
    for task in template["dag"]["tasks"]:
        task_path = f"{path}.tasks[{task['name']}]"
        called_template = templates.get(task["template"], {})
        if template.get("failFast") and "dag" in called_template:
            yield f"{task_path}: with the template's failFast, Argo would abandon its pods"
        if template.get("parallelism") and task.get("hooks"):
            yield f"{task_path}.hooks: a hook that gets no slot because of parallelism fails its task"
