"""Plug-ins, found by name: frameworks, search strategies, engines and commands are one module each.

    riseml/<kind>/<name>.py                                             built in
    [project.entry-points."riseml.<kind>"]  <name> = "their.module"     from an installed package

A built-in module wins over an entry point of the same name. Entry points are read only
when no built-in module has the name, since reading them takes longer than `riseml status`.
"""

import os
import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from riseml.errors import InvalidInputError, RiseMLError
from riseml.excerpts import listed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# Words for messages: one plug-in of a kind, and several of it.
_SINGULAR = {
    "frameworks": "framework",
    "search": "search strategy",
    "engines": "engine",
    "commands": "command",
}
_PLURAL = {"search": "search strategies"}
# The modules that document what a plug-in must define, where that is not `riseml.<kind>`.
_CONTRACT = {"engines": "riseml.engines.open", "commands": "riseml.cli"}

_PUBLIC_MODULE = r"((?!_)\w+)(?:\.py)?"


def names(kind: str) -> tuple[str, ...]:
    """Return the names of all plug-ins of a kind, sorted."""
    return tuple(sorted({*_built_in(kind), *_installed(kind)}))


def exists(kind: str, name: str) -> bool:
    """Return whether a plug-in of this kind has this name."""
    return name in _built_in(kind) or name in _installed(kind)


def load(kind: str, name: str, required: Sequence[str] = ()) -> ModuleType:
    """Return the module of a plug-in; `required` are the attributes that it must define.

    Raises:
        InvalidInputError: no plug-in has this name.
        RiseMLError: the module cannot be imported or lacks a required attribute.
    """
    module = _import(kind, name)
    missing = [attribute for attribute in required if not hasattr(module, attribute)]
    if missing:
        contract = _CONTRACT.get(kind, f"riseml.{kind}")
        raise RiseMLError(
            f"the {_SINGULAR[kind]} '{name}' lacks {', '.join(missing)}",
            f"The documentation of {contract} says what it must define.",
        )
    return module


def unknown(kind: str, name: str) -> InvalidInputError:
    """Return the error for a name that no plug-in of a kind has, with the names to choose from."""
    # An unknown name is rare, and difflib takes long to load.
    from difflib import get_close_matches  # noqa: PLC0415

    choices = names(kind)
    near = get_close_matches(name, choices, n=1)
    plural = _PLURAL.get(kind, kind)
    advice = f"Installed {plural}: {listed(choices)}."
    if near:
        advice = f"Did you mean '{near[0]}'? {advice}"
    return InvalidInputError(f"there is no {_SINGULAR[kind]} '{name}'", advice)


def _import(kind: str, name: str) -> ModuleType:
    if name in _built_in(kind):
        return import_module(f"riseml.{kind}.{name}")
    installed = _installed(kind)
    if name not in installed:
        raise unknown(kind, name)
    return _import_entry(installed[name])


def _import_entry(entry: "EntryPoint") -> ModuleType:
    package = entry.dist.name if entry.dist else entry.value
    try:
        module = entry.load()
    # A module of another package may raise anything while it is imported.
    except Exception as error:
        raise RiseMLError(
            f"'{entry.name}' of the package {package} cannot be loaded: {type(error).__name__}: {error}",
            "Repair or uninstall that package.",
        ) from error
    if not isinstance(module, ModuleType):
        raise RiseMLError(
            f"'{entry.name}' of the package {package} is not a module",
            "Report this to the authors of the package, or uninstall it.",
        )
    return module


@cache
def _built_in(kind: str) -> frozenset[str]:
    """Return the names of the modules and packages in `riseml.<kind>`."""
    package_name = f"riseml.{kind}"
    try:
        package = import_module(package_name)
    except ModuleNotFoundError as error:
        # An import inside the package failed.
        if error.name != package_name:
            raise
        # Kinds without built-in plug-ins have no package.
        return frozenset()
    internal: frozenset[str] = getattr(package, "NOT_PLUGINS", frozenset())
    modules: set[str] = set()
    for folder in package.__path__:
        matches = map(re.compile(_PUBLIC_MODULE).fullmatch, os.listdir(folder))  # noqa: PTH208
        modules.update(match[1] for match in filter(None, matches))
    return frozenset(modules - internal)


def asked_packages() -> bool:
    """Return whether a name has led to the entry points of installed packages."""
    return _installed.cache_info().currsize > 0


@cache
def _installed(kind: str) -> "dict[str, EntryPoint]":
    """Return the entry points of a kind by name."""
    # Loading importlib.metadata takes as long as starting an interpreter.
    from importlib.metadata import entry_points  # noqa: PLC0415

    return {entry.name: entry for entry in entry_points(group=f"riseml.{kind}")}
