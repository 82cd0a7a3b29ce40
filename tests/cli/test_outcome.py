"""The sentence about the end of a run."""

import pytest

from riseml.cli.outcome import describe
from riseml.status import State
from tests.cli.fake_engine import single


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("exit code 1", "14.train, exit code 1"),
        (
            "exit code 1 (command not found)",
            "14.train, exit code 1 (command not found)",
        ),
        (
            "14.train failed: a step failed with exit code 1",
            "14.train failed: a step failed with exit code 1",
        ),
        ("node lost", "14.train, exit code 1, node lost"),
    ],
)
def test_a_failure_is_told_once(message: str, cause: str) -> None:
    run = single(14, State.FAILED, guilty="14.train", exit_code=1, message=message)
    assert describe(run).endswith(f" ({cause}).")
