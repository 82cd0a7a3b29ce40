"""Fixtures of the framework tests: those of the local engine."""

from tests.local.conftest import lab

__all__ = ["lab"]
