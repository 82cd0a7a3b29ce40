"""Fixtures of the cluster for the pages that need one, and an option that rewrites outputs."""

import pytest

from tests.cluster.conftest import administrator, api, user, values

__all__ = ["administrator", "api", "user", "values"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="Rewrite the outputs of pages that differ from what their commands print.",
    )
