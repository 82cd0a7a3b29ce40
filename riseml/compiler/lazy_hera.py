"""Import of Hera that loads only what is used. Importing this module does it.

Hera's packages import all of their modules, and Pydantic builds every model when its class is
made. A document needs 40 of 290 models, and no HTTP client. So models are made on first use, and
three kinds of modules are imported on first use: packages that only repeat names of their
modules, what few documents need, and other packages that Hera needs for what RiseML does not
call. An import takes a quarter of the time then. What is used is Hera's own code, unchanged.

If a version of Hera is built differently, all of it is imported. A program that has imported
Hera before keeps it as it is.
"""

import builtins
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from riseml.compiler import pydantic_plugins
from riseml.compiler.lazy_classes import lazy_base
from riseml.compiler.lazy_modules import LazyModule, lazy_package
from riseml.schema import yaml_import  # noqa: F401 - Hera imports `yaml`

_PACKAGES = ("hera", "hera.workflows")
# Modules of Hera that no document or few documents need, with the classes that other
# modules name
_SELDOM_USED = {
    "hera.workflows.artifact": ("Artifact", "GitArtifact", "RawArtifact"),
    "hera.workflows.async_service": ("AsyncWorkflowsService",),
    "hera.workflows.cron_workflow": ("CronWorkflow",),
    "hera.workflows.env_from": ("_BaseEnvFrom",),
    "hera.workflows.io.v1": ("Input", "Output"),
    "hera.workflows.metrics": ("Metrics", "_BaseMetric"),
    "hera.workflows.service": ("WorkflowsService",),
    "hera.workflows.volume": ("Volume", "_BaseVolume"),
    "hera.workflows.workflow_template": ("WorkflowTemplate",),
}
# The same of other packages
_OTHERS = {
    "asyncio": (),
    "pydantic.v1": ("BaseModel",),
    "requests": ("Response",),
}
# They are imported while the others are replaced.
_USERS_OF_OTHERS = ("hera.exceptions", "hera.workflows.workflow")


def _load() -> None:
    if "hera" in sys.modules:
        return
    try:
        _load_lazily()
    except Exception:  # noqa: BLE001 - nobody knows how another version differs
        _forget()
        import_module("hera.workflows")


@pydantic_plugins.ignored()
def _load_lazily() -> None:
    for name in _PACKAGES:
        sys.modules[name] = lazy_package(name)
        _enter_in_parent(name)
    # Hera asks the package for it, which would be executed for that.
    import_module("hera._yaml")
    stand_ins = _stand_ins(_SELDOM_USED)
    sys.modules.update(stand_ins)
    with _replaced_for_hera(_OTHERS):
        _load_models()
        for name in _USERS_OF_OTHERS:
            import_module(name)
    for name in stand_ins:
        _enter_in_parent(name)


def _enter_in_parent(name: str) -> None:
    """Make a module an attribute of its package, as an import does."""
    parent, _, attribute = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], attribute, sys.modules[name])


def _load_models() -> None:
    base_module: Any = import_module("hera.shared._pydantic")
    base = base_module.APIBaseModel
    base_module.APIBaseModel = lazy_base(base)
    try:
        import_module("hera.workflows.models")
    finally:
        base_module.APIBaseModel = base


def _stand_ins(modules: Mapping[str, tuple[str, ...]]) -> dict[str, ModuleType]:
    """Return stand-ins for modules that are not loaded."""
    stand_ins: dict[str, ModuleType] = {}
    for name, classes in modules.items():
        if name not in sys.modules:
            stand_ins[name] = LazyModule(name, classes)
    return stand_ins


@contextmanager
def _replaced_for_hera(modules: Mapping[str, tuple[str, ...]]) -> Iterator[None]:
    """Let import statements of Hera get stand-ins for modules that are not loaded.

    Other threads may need these modules meanwhile, so `sys.modules` does not have them.
    """
    stand_ins = _stand_ins(modules)
    hooks: Any = builtins
    import_statement = hooks.__import__

    def lazy_import(name: str, globals: Any = None, *others: Any, **named: Any) -> Any:  # noqa: A002 - its name in `__import__`
        importer = str(globals.get("__name__")) if globals else ""
        if name in stand_ins and importer.startswith("hera."):
            return stand_ins[name]
        return import_statement(name, globals, *others, **named)

    hooks.__import__ = lazy_import
    try:
        yield
    finally:
        hooks.__import__ = import_statement


def _forget() -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "hera":
            del sys.modules[name]


_load()
