"""Dataclasses that cost a module little to define.

`dataclass`, `field` and `replace` mean what they mean in the standard library, also to
mypy. The standard library compiles six functions for each class (0.5 ms) and loads
`inspect` (10 ms). `riseml status` defines sixty classes, and makes objects of a quarter
of them. Here classes share their methods, and `__init__` is compiled for the first
object. Parameters that no class of this package needs are missing.
"""

import operator

# As in `typing`, which takes 2 ms to load.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass, field, replace
    from typing import Any

__all__ = ["dataclass", "field", "field_names", "replace"]

_REQUIRED = object()


def field_names(kind: type) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass."""
    return _definition(kind).names


def _definition(kind: "Any") -> "_Definition":
    definition: _Definition = kind._dataclass  # noqa: SLF001
    return definition


class _Factory:
    """Default of a field that is made for each object."""

    def __init__(self, make: "Callable[[], object]") -> None:
        self.make = make

    def __repr__(self) -> str:
        return "<factory>"


class _Definition:
    """Fields of a class with their defaults, and what is made of them on demand."""

    def __init__(self, kind: "Any", *, frozen: bool) -> None:
        self.kind = kind
        self.frozen = frozen
        self.defaults: dict[str, object] = {}
        self.annotations: dict[str, object] = {}
        for base in reversed(kind.__mro__[1:]):
            if "_dataclass" in base.__dict__:
                self.defaults |= _definition(base).defaults
                self.annotations |= _definition(base).annotations
        self.annotations |= kind.__annotations__
        for name in kind.__annotations__:
            self.defaults[name] = _default(kind, name)
        self.names = tuple(self.defaults)
        self.values = _getter(self.names)

    def initializer(self) -> "Any":
        """Return the function `__init__`."""
        scope: dict[str, Any] = {"_set": object.__setattr__}
        parameters, lines = ["self"], ["pass"]
        for name, default in self.defaults.items():
            scope[f"_{name}"] = default
            parameters.append(name if default is _REQUIRED else f"{name}=_{name}")
            value = name
            if isinstance(default, _Factory):
                value = f"_{name}.make() if {name} is _{name} else {name}"
            # Frozen objects refuse assignments.
            is_set = f"_set(self, '{name}', {value})"
            lines.append(is_set if self.frozen else f"self.{name} = {value}")
        header = f"def __init__({', '.join(parameters)}):"
        # The text consists of names of fields.
        exec("\n  ".join([header, *lines]), scope)  # noqa: S102
        function = scope["__init__"]
        function.__qualname__ = f"{self.kind.__qualname__}.__init__"
        function.__module__ = self.kind.__module__
        function.__annotations__ = {**self.annotations, "return": None}
        return function

    def standard_class(self) -> "Any":
        """Return a dataclass of the standard library with these fields."""
        import dataclasses  # noqa: PLC0415

        described: list[Any] = []
        for name, default in self.defaults.items():
            if default is _REQUIRED:
                standard: Any = dataclasses.field()
            elif isinstance(default, _Factory):
                standard = dataclasses.field(default_factory=default.make)
            else:
                standard = dataclasses.field(default=default)
            described.append((name, self.annotations[name], standard))
        return dataclasses.make_dataclass(
            self.kind.__name__, described, frozen=self.frozen
        )


def _default(kind: type, name: str) -> object:
    default = kind.__dict__.get(name, _REQUIRED)
    if isinstance(default, _Factory):
        # As in the standard library, the class has no attribute of this name.
        delattr(kind, name)
    elif type(default).__hash__ is None:
        raise ValueError(f"objects would share the default of '{name}'; use field()")
    return default


def _getter(names: tuple[str, ...]) -> "Callable[[object], tuple[object, ...]]":
    """Return the function from an object to the values of its fields."""
    # attrgetter() returns a tuple for several names only. It is twice as fast as a loop.
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda item: tuple(getattr(item, name) for name in names)


class _Initializer:
    """`__init__` of a class that has no object yet."""

    def __init__(self, definition: _Definition) -> None:
        self._definition = definition

    def __get__(self, item: object, kind: type | None = None) -> "Any":
        initializer = self._definition.initializer()
        self._definition.kind.__init__ = initializer
        return initializer.__get__(item, kind)


class _StandardAttribute:
    """Attribute for the functions of `dataclasses`, which few programs use."""

    def __init__(self, name: str, definition: _Definition) -> None:
        self._name = name
        self._definition = definition

    def __get__(self, item: object, kind: type | None = None) -> object:
        value: object = getattr(self._definition.standard_class(), self._name)
        # `asdict` reads it for each object: 1,000 take 20 ms instead of 1.2 s.
        setattr(self._definition.kind, self._name, value)
        return value


def _values(item: "Any") -> tuple[object, ...]:
    return _definition(item).values(item)


def _repr(self: object) -> str:
    texts = []
    for name in _definition(self).names:
        texts.append(f"{name}={getattr(self, name)!r}")
    return f"{type(self).__qualname__}({', '.join(texts)})"


def _comparison(compare: "Callable[[Any, Any], bool]") -> object:
    def method(self: object, other: object) -> object:
        if type(other) is not type(self):
            return NotImplemented
        return compare(_values(self), _values(other))

    return method


def _hash(self: object) -> int:
    return hash(_values(self))


def _refuse_assignment(_item: object, name: str, _value: object) -> None:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415

    raise FrozenInstanceError(f"cannot assign to field '{name}'")


def _refuse_deletion(_item: object, name: str) -> None:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415

    raise FrozenInstanceError(f"cannot delete field '{name}'")


def _replaced(item: "Any", /, **changes: object) -> "Any":
    """Return a copy of an object with other values of some fields."""
    definition = type(item).__dict__.get("_dataclass")
    if definition is None:
        # It belongs to a class of the standard library, which may derive from one of these.
        import dataclasses  # noqa: PLC0415

        return dataclasses.replace(item, **changes)
    values = dict(zip(definition.names, definition.values(item), strict=True))
    return type(item)(**(values | changes))


_METHODS = {
    "__repr__": _repr,
    "__eq__": _comparison(operator.eq),
    "__hash__": None,
    # For `copy.replace` of Python 3.13
    "__replace__": _replaced,
}
_FROZEN_METHODS = {
    **_METHODS,
    "__hash__": _hash,
    "__setattr__": _refuse_assignment,
    "__delattr__": _refuse_deletion,
}
_ORDER_METHODS = {
    "__lt__": _comparison(operator.lt),
    "__le__": _comparison(operator.le),
    "__gt__": _comparison(operator.gt),
    "__ge__": _comparison(operator.ge),
}


def _make(kind: "Any", *, frozen: bool, order: bool) -> "Any":
    definition = _Definition(kind, frozen=frozen)
    attributes: dict[str, object] = {
        "__init__": _Initializer(definition),
        "__match_args__": definition.names,
        "_dataclass": definition,
        **(_FROZEN_METHODS if frozen else _METHODS),
        **(_ORDER_METHODS if order else {}),
    }
    for name in ("__dataclass_fields__", "__dataclass_params__"):
        attributes[name] = _StandardAttribute(name, definition)
    for name, attribute in attributes.items():
        if name not in kind.__dict__:
            setattr(kind, name, attribute)
    return kind


if not TYPE_CHECKING:

    def dataclass(kind=None, /, *, frozen=False, order=False):  # noqa: ANN001, ANN201
        """Define the methods of a class from its annotations."""
        if kind is not None:
            return _make(kind, frozen=frozen, order=order)
        return lambda kind: _make(kind, frozen=frozen, order=order)

    def field(*, default_factory):  # noqa: ANN001, ANN201
        """Return a default that is made for each object."""
        return _Factory(default_factory)

    replace = _replaced
