"""Numbers of new runs are free, in the database and among the outputs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from riseml.engines.local.controller import numbers


class Counter:
    """The counter of a database."""

    def __init__(self, last: int) -> None:
        self.last = last

    def next_number(self) -> int:
        self.last += 1
        return self.last

    def set_number(self, number: int) -> None:
        self.last = number


@pytest.mark.parametrize(
    ("folders", "number"),
    [
        ([], 3),
        (["output/me/lab/2"], 3),
        (["output/me/lab/3"], 4),
        (["output/me/lab/3", "output/you/other/17", "output/me/lab/x"], 18),
        # Processes of a run that the database does not know.
        (["runs/3"], 4),
    ],
)
def test_a_number_with_output_is_skipped(
    folders: list[str], number: int, tmp_path: Path
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    store = Counter(2)
    layout = SimpleNamespace(home=tmp_path, run=lambda n: tmp_path / "runs" / str(n))
    services: Any = SimpleNamespace(layout=layout, store=store)
    assert numbers.assign(services) == number
    assert store.last == number
