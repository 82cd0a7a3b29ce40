"""Kinds of rules for the fields of a Workflow; `validate_fields.py` applies them.

A rule checks a value and yields its faults, each with the path of the value.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import filterfalse
from typing import Any, Final

from riseml.engines.local.interpreter.templates import seconds

Rule = Callable[[str, Any], Iterator[str]]
"""Yields the faults of a value, given its path."""

# Completes the sentence "the local engine …".
_REASONS: Final = {
    "livenessProbe": "does not run liveness probes",
    "readinessProbe": "does not run readiness probes",
    "startupProbe": "does not run start-up probes",
    "lifecycle": "does not run lifecycle hooks of containers",
    "securityContext": "runs everything as the current user",
    "hostPath": "mounts only claims, secrets and empty folders",
    "configMap": "does not support ConfigMaps",
    "git": "takes the code from its own store",
    "steps": "runs dag templates only, not steps",
    "script": "runs container templates only, not scripts",
    "suspend": "does not suspend runs",
    "http": "does not make HTTP requests",
    "data": "runs container templates only",
    "containerSet": "runs container templates only",
    "plugin": "does not run plugins",
    "memoize": "does not memoize",
    "metrics": "does not emit metrics",
    "onExit": "does not run exit handlers",
    "withSequence": "expands withItems and withParam only",
    "continueOn": "supports `depends` only",
    "semaphores": "supports mutexes only",
    "templateRef": "runs only templates of the Workflow itself",
    "inline": "runs named templates only",
    "volumeClaimTemplates": "does not create claims",
    "workflowTemplateRef": "runs only complete Workflows",
}
_UNKNOWN_FIELD: Final = "does not support this field"

# An API server adds empty fields to what was submitted.
_EMPTY_VALUES: Final[tuple[object, ...]] = (None, {}, [], "")


# Rules for single values


def accept(path: str, value: Any) -> Iterator[str]:  # noqa: ARG001
    """Yield no fault."""
    yield from ()


def unsupported(path: str, value: Any) -> Iterator[str]:  # noqa: ARG001
    """Yield a fault for a field that means something even if it is empty."""
    yield f"{path}: the local engine {_REASONS[path.rpartition('.')[2]]}"


class _Is:
    """The value passes a test; `description` completes "is not …"."""

    def __init__(self, test: Callable[[Any], bool], description: str) -> None:
        self.test = test
        self.description = description

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        if not self.test(value):
            yield f"{path}: {value!r} is not {self.description}"


def _has_type(*types: type) -> Callable[[Any], bool]:
    """Return a test whether a value has one of the types."""

    def test(value: Any) -> bool:
        # In Python a truth value is a number, in JSON it is not.
        if isinstance(value, bool):
            return bool in types
        return isinstance(value, types)

    return test


_is_text: Final = _has_type(str)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


_QUANTITY: Final = re.compile(
    r"\+?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?"
)


def _is_quantity(value: Any) -> bool:
    return _QUANTITY.fullmatch(str(value)) is not None


def _is_filled_list(value: Any) -> bool:
    return _is_list(value) and len(value) > 0


def _is_list_of_texts(value: Any) -> bool:
    return _is_list(value) and all(map(_is_text, value))


def _is_digits(value: Any) -> bool:
    return str(value).isdecimal()


class OneOf:
    """The value is one of the values."""

    def __init__(self, *values: object) -> None:
        self.values = values

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        """Yield a fault that names the supported values."""
        if value not in self.values:
            supported = " and ".join(map(repr, self.values))
            yield f"{path}: the local engine supports {supported}, not {value!r}"


def duration(path: str, value: Any) -> Iterator[str]:
    """Yield a fault unless the value is a duration, such as 30s."""
    try:
        seconds(value)
    except ValueError as error:
        yield f"{path}: {error}"


def _has_pattern(pattern: str) -> Callable[[Any], bool]:
    """Return a test whether a value is text that a pattern matches as a whole."""
    compiled = re.compile(pattern, re.DOTALL)

    def test(value: Any) -> bool:
        return _is_text(value) and compiled.fullmatch(value) is not None

    return test


TEXT: Final = _Is(_is_text, "text")
NAME: Final = _Is(
    _has_pattern(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}"),
    "a name of letters, digits and hyphens, at most 128",
)
# Argo fails to insert other control characters.
PARAMETER_VALUE: Final = _Is(
    _has_pattern(r"[^\x00-\x07\x0b\x0e-\x1f\x7f]*"),
    "text without control characters",
)
QUANTITY: Final = _Is(
    _is_quantity,
    "an amount such as 1, 500m or 2Gi",
)
PARAMETER_NAME: Final = _Is(
    _has_pattern(r"[-a-zA-Z0-9_]+"),
    "a name of letters, digits, hyphens and underscores",
)
# An API server writes an empty path where there is none.
ABSOLUTE_PATH: Final = _Is(
    _has_pattern(r"(/(?!(.*/)?[.][.](/.*)?$).*)?"),
    "a path that starts with '/' and has no '..'",
)
PATH_BELOW: Final = _Is(
    _has_pattern(r"(?!/)(?!(.*/)?[.][.](/.*)?$).*"), "a path that stays in its volume"
)
VALUE: Final = _Is(_has_type(str, int, float, bool), "a value")
FLAG: Final = _Is(_has_type(bool), "true or false")
INTEGER: Final = _Is(_has_type(int), "a whole number")
INTEGER_OR_DIGITS: Final = _Is(_is_digits, "a whole number")
TEXTS: Final = _Is(_is_list_of_texts, "a list of texts")


# Rules for lists and maps


class _Collection:
    """The value is a collection, and `rule` holds for each of its items."""

    test: Callable[[Any], bool]
    # Completes "is not …".
    description: str

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        if not self.test(value):
            yield f"{path}: {value!r} is not {self.description}"
            return
        for key, item in self.entries(value):
            yield from self.rule(f"{path}[{key}]", item)

    def entries(self, value: Any) -> Iterable[tuple[object, Any]]:
        """Return the items, each with its key in a path."""
        return enumerate(value)


class Map(_Collection):
    """A map, whose keys are free."""

    test = staticmethod(_has_type(Mapping))
    description = "a map"

    def entries(self, value: Any) -> Iterable[tuple[object, Any]]:
        """Return the items under their keys."""
        yield from value.items()


class Keys(Map):
    """A map of values whose keys match a pattern; `reason` is why others do not."""

    def __init__(self, rule: Rule, pattern: str, reason: str) -> None:
        super().__init__(rule)
        self.pattern = re.compile(pattern)
        self.reason = reason

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        """Yield the faults of all values, and the keys that do not match."""
        yield from super().__call__(path, value)
        for key in filterfalse(self.pattern.fullmatch, value):
            yield f"{path}.{key}: the local engine {self.reason}"


class Items(_Collection):
    """The items of a task, of which there is at least one."""

    test = staticmethod(_is_filled_list)
    description = "a list of items"


class List(_Collection):
    """A list, whose items have names if they are maps."""

    test = staticmethod(_is_list)
    description = "a list"

    def entries(self, value: Any) -> Iterable[tuple[object, Any]]:
        """Return the items, each under its name or its index."""
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                yield item.get("name") or index, item
            else:
                yield index, item


class UniqueList(List):
    """A list of maps with different names."""

    key = "name"

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        """Yield the faults of all items, and the names that appear more than once."""
        faults = list(super().__call__(path, value))
        yield from faults
        # Without faults, all items are maps with a name.
        if not faults:
            counts = Counter(item[self.key] for item in value)
            for name in filter(lambda name: counts[name] > 1, counts):
                yield f"{path}[{name}]: the name appears {counts[name]} times"


class Mounts(UniqueList):
    """Mounts of a container, at different paths."""

    key = "mountPath"


class FilledList(UniqueList):
    """A list with at least one item."""

    test = staticmethod(_is_filled_list)
    description = "a list with at least one item"


class Fields:
    """The value is a map with these keys; any other key must have an empty value."""

    def __init__(self, rules: Mapping[str, Rule], required: Sequence[str] = ()) -> None:
        self.rules = rules
        self.required = required

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        """Yield the faults of all fields, and the required ones that are missing."""
        path_or_document = path or "document"
        if not isinstance(value, Mapping):
            yield f"{path_or_document}: {value!r} is not a map"
            return
        for key, item in value.items():
            field_path = f"{path}.{key}" if path else key
            yield from self._field_faults(field_path, key, item)
        for key in self.required:
            if not value.get(key):
                yield f"{path_or_document}: {key} is missing"

    def _field_faults(self, path: str, key: str, value: Any) -> Iterator[str]:
        if key in self.rules:
            yield from self.rules[key](path, value)
        elif value not in _EMPTY_VALUES:
            reason = _REASONS.get(key, _UNKNOWN_FIELD)
            yield f"{path}: the local engine {reason}"


class SomeFields(Fields):
    """The value is a map; these keys are checked, and others have no effect here."""

    def _field_faults(self, path: str, key: str, value: Any) -> Iterator[str]:
        yield from self.rules.get(key, accept)(path, value)


_ITEM_TEXT: Final = _Is(_has_type(str, int), "text or a map")
_ITEM_MAP: Final = Map(_Is(_has_type(str, int), "text"))


def item(path: str, value: Any) -> Iterator[str]:
    """Yield the faults of an item of `withItems`: text, or a map of texts."""
    rule: Rule = _ITEM_MAP if isinstance(value, Mapping) else _ITEM_TEXT
    yield from rule(path, value)
