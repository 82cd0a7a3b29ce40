"""Hera's models do without plug-ins of Pydantic.

For the first model of a process, Pydantic reads the metadata of all installed packages in search
of plug-ins: an eighth of the time that a small document takes. Models of the program itself
have their plug-ins.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class _Thread(threading.local):
    """How many models of Hera this thread is making, one inside the other."""

    models = 0


_thread = _Thread()


@contextmanager
def ignored() -> Iterator[None]:
    """Make models without plug-ins in this thread."""
    _thread.models += 1
    try:
        yield
    finally:
        _thread.models -= 1


def _install() -> None:
    # The variable PYDANTIC_DISABLE_PLUGINS would hold for other threads, and for the
    # processes that they start.
    try:
        loader: Any = import_module("pydantic.plugin._loader")
        search = loader.get_plugins
    except (ImportError, AttributeError):
        # Another version of Pydantic searches for them.
        return
    loader.get_plugins = lambda: () if _thread.models else search()


_install()
