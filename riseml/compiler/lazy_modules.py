"""Stand-ins for modules, which are imported when something of them is used."""

import sys
import threading
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

from riseml.compiler import pydantic_plugins
from riseml.compiler.lazy_classes import StandIn, real_class

_PUBLIC = {"__all__", "__version__", "__version_info__"}
# Nothing is imported with this lock.
_removal = threading.Lock()
_execution = threading.RLock()
_executed: set[str] = set()


class LazyModule(ModuleType):
    """Module with stand-ins for some classes of another module of this name.

    Other names are those of the other module, which is imported for the first of them.
    """

    def __init__(self, name: str, classes: Iterable[str] = ()) -> None:
        super().__init__(name)
        for class_name in classes:
            stand_in = _ImportedClass(class_name, (), {"__module__": name})
            setattr(self, class_name, stand_in)

    def __getattr__(self, name: str) -> Any:
        if _is_special(name):
            raise AttributeError(name)
        return getattr(_real_module(self.__name__), name)


class _ImportedClass(StandIn):
    """Class whose module is imported when the class is first used.

    A class that derives from it is made at once, from the real class.
    """

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        **keywords: Any,
    ) -> Any:
        if bases:
            return real_class(name, bases, body, **keywords)
        return super().__new__(cls, name, bases, body)

    def has_real_class(self) -> bool:
        module = sys.modules.get(self.__module__)
        return module is not None and not isinstance(module, LazyModule)

    def real_class(self) -> Any:
        return getattr(_real_module(self.__module__), self.__name__)


def _real_module(name: str) -> ModuleType:
    with _removal:
        if isinstance(sys.modules.get(name), LazyModule):
            del sys.modules[name]
    with pydantic_plugins.ignored():
        return import_module(name)


class _LazyPackage(ModuleType):
    def __getattr__(self, name: str) -> Any:
        """Return a name of the package, whose own module is executed for it."""
        if _is_special(name):
            raise AttributeError(name)
        # Another thread waits for the names.
        with _execution:
            _execute(self)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, as the import of a module does for its package.

        The package of `hera.workflows.script` has the function of this name instead.
        """
        is_module = isinstance(value, ModuleType)
        if not is_module or name not in vars(value).get("__all__", ()):
            super().__setattr__(name, value)


def _execute(package: ModuleType) -> None:
    # What is executed may itself ask for a name.
    if package.__name__ in _executed:
        return
    _executed.add(package.__name__)
    specification = package.__spec__
    if specification and specification.loader:
        specification.loader.exec_module(package)
    package.__class__ = ModuleType


def _is_special(name: str) -> bool:
    """Return whether the import system and debuggers ask every module for this name."""
    return name.startswith("__") and name not in _PUBLIC


def lazy_package(name: str) -> ModuleType:
    """Return a package, before its own module is executed.

    Its other modules can be imported without that.

    Raises:
        ModuleNotFoundError: there is no such package.
    """
    specification = find_spec(name)
    if specification is None:
        raise ModuleNotFoundError(name)
    package = module_from_spec(specification)
    package.__class__ = _LazyPackage
    return package
