"""The command `riseml system test`."""

from typing import Any

import pytest

from tests.cli.conftest import Riseml


@pytest.mark.parametrize(
    ("arguments", "mem"),
    [
        ((), 1152),
        (("--mem", "200"), 328),
        (("--mem", "200", "--request-mem", "64"), 64),
    ],
)
def test_an_experiment_requests_the_memory_that_it_uses(
    arguments: tuple[str, ...],
    mem: int,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sections = []

    def train(section: dict[str, Any], node: str) -> str:
        sections.append(section)
        return "14"

    monkeypatch.setattr("riseml.cli.smoke_test._train", train)
    assert riseml("system", "test", *arguments).out == "14\n"
    assert [section["resources"]["mem"] for section in sections] == [mem]
