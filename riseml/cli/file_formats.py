"""Types of the JSON files in output folders that scripts may read; `riseml schema` prints them, too."""

from typing import Literal, NotRequired, TypedDict

from riseml.cli.documents import Document


class DistributionRecord(TypedDict):
    """Where the values of a parameter come from."""

    kind: Literal["float", "int", "choice"]
    low: NotRequired[str]
    """The least value, of numbers."""
    high: NotRequired[str]
    """The greatest value, of numbers."""
    step: NotRequired[str]
    """The distance of neighboring values; absent if there is no limit to their number."""
    is_log: NotRequired[bool]
    """Whether values are uniform in their logarithm."""
    choices: NotRequired[list[str]]


class TrialRecord(TypedDict):
    """A line of `.riseml/search/trials.jsonl`: an experiment of a search in rounds.

    The last line of a number counts.
    """

    number: int
    parameters: dict[str, str]
    space: dict[str, DistributionRecord]
    state: Literal["ASKED", "COMPLETE", "FAIL"]
    value: float | None
    """The value of the metric; null unless the state is COMPLETE."""


DOCUMENTS = {"search-trial": Document(TrialRecord)}
