"""What the runner of a run is called on screens and in records."""

from collections.abc import Iterator
from typing import NotRequired, TypedDict

from riseml.engines.capabilities import RunnerChoice


class RunnerFields(TypedDict):
    """The fields of a record about the runner, none on a cluster."""

    runner: NotRequired[str]
    """What runs the jobs on one machine: process, podman or docker."""
    runner_reason: NotRequired[str]
    """Why RiseML has chosen that; absent if the user has."""


def lines(choice: RunnerChoice | None) -> Iterator[str]:
    """Yield the line about a runner that riseml.yml or the user did not leave to habit.

    Processes go without saying where riseml.yml names no image that they ignore.
    """
    if choice is not None and choice.is_notable:
        yield f"Runner: {choice}."


def fields(choice: RunnerChoice | None) -> RunnerFields:
    """Return the fields of a record."""
    if choice is None:
        return {}
    record: RunnerFields = {"runner": choice.name}
    if choice.reason:
        record["runner_reason"] = choice.reason
    return record
