"""Names in a Workflow: they are unique, match the inputs, and form no cycle."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import filterfalse
from operator import itemgetter, methodcaller
from typing import Any

Data = Mapping[str, Any]

_HAS_VALUE = methodcaller("__contains__", "value")


def names_of(items: Iterable[Data]) -> list[str]:
    """Return the `name` of each item."""
    return list(map(itemgetter("name"), items))


def prefixed(prefix: str, names: Iterable[str], suffix: str = "") -> set[str]:
    """Return the tags that consist of a prefix, one of the names, and a suffix."""
    return {f"{prefix}{name}{suffix}" for name in names}


def parameters_of(body: Data, field: str) -> Sequence[Data]:
    """Return the parameters in a field such as `inputs`, which may be missing."""
    parameters: Sequence[Data] = body.get(field, {}).get("parameters", ())
    return parameters


def duplicate_faults(path: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the names that appear more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{path}[{name}]: the name appears {count} times"


def argument_faults(path: str, call: Data, template: Data) -> Iterator[str]:
    """Yield what is wrong with the arguments with which a template is called."""
    path = f"{path}.arguments"
    parameters = parameters_of(call, "arguments")
    given_names = names_of(parameters)
    for parameter in filterfalse(_HAS_VALUE, parameters):
        yield f"{path}.parameters[{parameter['name']}]: value is missing"
    for parameter in parameters_of(template, "inputs"):
        default = parameter.get("value", parameter.get("default"))
        if parameter["name"] not in given_names and default is None:
            yield f"{path}: template {template['name']!r} needs {parameter['name']!r}"


def find_cycle(
    references: Mapping[str, Iterable[str]], names: Iterable[str]
) -> list[str]:
    """Return names that refer to each other in a cycle, empty if there is none.

    The first name appears again at the end. The search uses a stack instead of
    recursion, because a chain may have thousands of names.
    """
    done: set[str] = set()
    for start in names:
        # What was searched before leads to no cycle, so a long chain is searched once.
        if start not in done:
            cycle = _find_cycle_from(start, references, done)
            if cycle:
                return cycle
    return []


def _find_cycle_from(
    start: str, references: Mapping[str, Iterable[str]], done: set[str]
) -> list[str]:
    path = [start]
    remaining = [iter(references[start])]
    while path:
        following = next((name for name in remaining[-1] if name not in done), None)
        if following is None:
            done.add(path.pop())
            remaining.pop()
        elif following in path:
            return [*path[path.index(following) :], following]
        else:
            path.append(following)
            remaining.append(iter(references[following]))
    return []
