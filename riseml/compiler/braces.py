"""Braces that become a tag of Argo only when values are inserted.

    run: echo {{a}}{{b}}    a: '{'    b: '{workflow.name}}'    ──▶    echo {{workflow.name}}

Argo inserts the values and then reads the result again. A value itself has no `{{`, so
two braces meet where a value ends.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from operator import methodcaller

from riseml.compiler.names import Names
from riseml.compiler.text import placeholders, replaced
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt
from riseml.plan import Job, variable_of

# Tags overlap in `{{{`.
_OPENING = re.compile(r"(?=\{\{)")
_NO_BRACE = "\0"
_CHARACTERS_BEFORE = 20


def check(names: Names) -> None:
    """Refuse what Argo would interpret only after it has inserted values or the code's address.

    Raises:
        InvalidInputError: it would interpret something.
    """
    _check_address(names.origin.git_url or "")
    _check_address(names.origin.revision)
    values = itertools.chain.from_iterable(map(names.values, names.parameters))
    # Only a brace at the end of a value can meet another one.
    if not any(map(methodcaller("endswith", "{"), values)):
        return
    for job in names.plan.jobs:
        for key, text in _texts(job):
            _check_text(key, text, names)


def _check_address(address: str) -> None:
    if "{{" in address:
        raise InvalidInputError(
            f"'{excerpt(address)}' contains '{{{{', which Argo would interpret",
            "Write %7B%7B in the address, or use another branch or repository.",
        )


def _texts(job: Job) -> list[tuple[str, str]]:
    """Return the texts into which values are inserted, after the keys that contain them."""
    texts = [("run", line) for line in job.run]
    variables = [(f"env.{variable}", value) for variable, value in job.env.items()]
    return texts + variables


def _check_text(key: str, text: str, names: Names) -> None:
    declared = dict.fromkeys(names.parameters, _NO_BRACE)
    allowed = _count(replaced(text, declared))
    used = list(declared.keys() & placeholders(text))
    for values in _assignments(used, names):
        composed = replaced(text, values)
        if _count(composed) > allowed:
            raise _fault(key, composed, sorted(used))


def _count(text: str) -> int:
    return len(_OPENING.findall(text))


def _assignments(used: list[str], names: Names) -> Iterable[Mapping[str, str]]:
    """Return values of the parameters that an experiment may have together."""
    if not names.plan.rounds:
        return [experiment.parameters for experiment in names.plan.experiments]
    # Only the first and the last character of a value matter.
    edges = []
    for name in used:
        values = {value[:1] + value[-1:]: value for value in names.values(name)}
        edges.append(values.values())
    combinations = itertools.product(*edges)
    return (dict(zip(used, values, strict=True)) for values in combinations)


def _fault(key: str, composed: str, used: list[str]) -> InvalidInputError:
    position = max(0, composed.find("{{") - _CHARACTERS_BEFORE)
    variables = [f'"${variable_of(name)}"' for name in used]
    advice = "Put a space between the braces, or set the variable in run."
    # Only a shell knows the variables of the parameters.
    if key == "run":
        advice = f"Write {' '.join(variables)}, the variables of the parameters."
    return InvalidInputError(
        f"with its values, {key} contains '{{{{', which Argo would interpret:"
        f" '{excerpt(composed[position:])}'",
        advice,
    )
