"""Stand-ins for classes that take long to make.

A stand-in works in annotations, in `isinstance`, as the base of another class, and as the type
of a Pydantic field. The real class is made when the stand-in is first called or asked for an
attribute. All instances are instances of the real class.
"""

import threading
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from riseml.compiler import pydantic_plugins

# Two threads must not make a class twice: neither would accept the other's instances.
_lock = threading.RLock()


class StandIn(type):
    """Class that stands for another one."""

    def real_class(cls) -> Any:
        """Return the class that this one stands for."""
        raise NotImplementedError

    def has_real_class(cls) -> bool:
        """Return whether that class exists already: if not, it has no instances."""
        raise NotImplementedError

    def __call__(cls, *arguments: Any, **fields: Any) -> Any:
        """Return an instance of the other class."""
        return cls.real_class()(*arguments, **fields)

    def __getattr__(cls, name: str) -> Any:
        # `typing` and Pydantic look for special attributes of every class in an
        # annotation. That must not make the class.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(cls.real_class(), name)

    def __instancecheck__(cls, instance: object) -> bool:
        return cls.has_real_class() and isinstance(instance, cls.real_class())

    def __subclasscheck__(cls, subclass: type) -> bool:
        if subclass is cls:
            return True
        return cls.has_real_class() and issubclass(subclass, cls.real_class())


class LazyModel(StandIn):
    """Pydantic model that is made from its class statement when it is first used.

    A class statement with a base of this type gives another of this type. In other packages,
    whose statements may have keywords or call `super()`, it gives a model at once.
    """

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        **keywords: Any,
    ) -> Any:
        """Return a class that has nothing of the body."""
        if keywords or any(_is_of_other_package(base, body) for base in bases):
            return real_class(name, bases, body, **keywords)
        return super().__new__(cls, name, (), {"__module__": body["__module__"]})

    def __init__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> None:
        super().__init__(name, (), {})
        cls._statement = (name, bases, body)
        cls._model: type | None = None

    def model_rebuild(cls) -> None:
        """Do nothing: Hera completes models that refer to later ones of their module.

        When a stand-in becomes a model, all models of its module have stand-ins.
        """

    def has_real_class(cls) -> bool:
        """Return whether the model has been made."""
        return cls._model is not None

    def real_class(cls) -> Any:
        """Return the model."""
        with _lock:
            if cls._model is None:
                with pydantic_plugins.ignored():
                    cls._model = real_class(*cls._statement)
            return cls._model

    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of a field with this model, which the first value makes."""
        return core_schema.no_info_plain_validator_function(
            lambda value: cls.real_class().model_validate(value)
        )


def real_class(
    name: str, bases: tuple[type, ...], body: dict[str, Any], **keywords: Any
) -> Any:
    """Return the class of a class statement, some of whose bases are stand-ins."""
    real_bases = tuple(map(_real_base, bases))
    return type(real_bases[0])(name, real_bases, body, **keywords)


def _is_of_other_package(base: type, body: dict[str, Any]) -> bool:
    packages = {
        name.partition(".")[0] for name in (base.__module__, body["__module__"])
    }
    return isinstance(base, LazyModel) and len(packages) > 1


def _real_base(base: type) -> Any:
    return base.real_class() if isinstance(base, StandIn) else base


def lazy_base(base: type) -> LazyModel:
    """Return a base for class statements of models, in place of `base`.

    Models that derive from it derive from `base`, and are made when they are first used.
    """
    stand_in = LazyModel(base.__name__, (), {"__module__": base.__module__})
    stand_in._model = base  # noqa: SLF001
    return stand_in
