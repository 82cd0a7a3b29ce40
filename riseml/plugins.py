"""Parts found by name: `frameworks`, `search` and `engines` are one file each, ours or another package's.

    riseml/<kind>/<name>.py                                             built in
    [project.entry-points."riseml.<kind>"]  <name> = "their.module"     installed beside RiseML

The built-in ones are found without asking for entry points, which takes longer than a whole `riseml status`.
"""

import os
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from riseml.errors import InvalidInputError, RiseMLError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def names(kind: str) -> tuple[str, ...]:
    """Return the names of all parts of one kind, sorted."""
    return tuple(
        sorted({*_built_in(kind), *(entry.name for entry in _installed(kind))})
    )


def exists(kind: str, name: str) -> bool:
    """Whether there is a part of this name."""
    return name in _built_in(kind) or any(
        entry.name == name for entry in _installed(kind)
    )


def load(kind: str, name: str) -> ModuleType:
    """Return the module of a part.

    Raises:
        InvalidInputError: there is none of this name.
        RiseMLError: it is another package's and cannot be imported.
    """
    if name in _built_in(kind):
        return import_module(f"riseml.{kind}.{name}")
    for entry in _installed(kind):
        if entry.name == name:
            return _load_foreign(entry)
    raise InvalidInputError(
        f"no {kind} named '{name}'", f"There are {', '.join(names(kind))}."
    )


def _load_foreign(entry: "EntryPoint") -> ModuleType:
    package = entry.dist.name if entry.dist else entry.value
    try:
        module = entry.load()
    except Exception as error:
        raise RiseMLError(
            f"'{entry.name}' of the package {package} cannot be loaded: {type(error).__name__}: {error}",
            "Repair or remove that package.",
        ) from error
    if not isinstance(module, ModuleType):
        raise RiseMLError(
            f"'{entry.name}' of the package {package} is no module", "Tell its authors."
        )
    return module


@cache
def _built_in(kind: str) -> frozenset[str]:
    found: set[str] = set()
    package_name = f"riseml.{kind}"
    try:
        package = import_module(package_name)
    except ModuleNotFoundError as error:
        if error.name != package_name:
            raise
        # `riseml.commands` exists only as a group of entry points.
        return frozenset()
    for folder in package.__path__:
        with os.scandir(folder) as files:
            found.update(
                each.name.removesuffix(".py")
                for each in files
                if each.name.endswith(".py") or each.is_dir()
            )
    internal: frozenset[str] = getattr(package, "NOT_PLUGINS", frozenset())
    return frozenset(name for name in found - internal if not name.startswith("_"))


@cache
def _installed(kind: str) -> "tuple[EntryPoint, ...]":
    # Takes as long as an interpreter's start
    from importlib.metadata import entry_points  # noqa: PLC0415

    return tuple(entry_points(group=f"riseml.{kind}"))
