"""Faults of a Workflow, for the tests of its validation."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.validate import check
from riseml.errors import UnsupportedError


def faults_of(document: dict[str, Any]) -> str:
    """Return the message with which the local engine refuses a Workflow."""
    with pytest.raises(UnsupportedError) as info:
        check(document)
    assert info.value.advice
    return str(info.value)
