"""A home with an engine for each test, and the environment of a framework, made when it is first wanted."""

from tests.local.conftest import lab

__all__ = ["lab"]
