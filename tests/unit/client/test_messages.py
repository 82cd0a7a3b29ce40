"""Errors of `riseml.Client` quote at most 200 characters of a value."""

from collections.abc import Callable
from pathlib import Path

import pytest

from riseml import Client
from riseml.errors import RiseMLError

VALUES = ["lorem ipsum " * 400, "it's not " * 500, "x" * 5000, "a\x1b[31mb\x07"]
CALLS: dict[str, Callable[[Client, str], object]] = {
    "status": lambda client, value: client.status(value),
    "logs": lambda client, value: list(client.logs(value)),
    "kill": lambda client, value: client.kill(value),
    "train": lambda client, value: client.train(value),
    "ls": lambda client, value: client.ls(value),
    "rm": lambda client, value: client.rm(value),
    "runs": lambda client, value: client.runs(user=value),
    "set_secret": lambda client, value: client.set_secret(f"-{value}", "x"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("value", VALUES, ids=["words", "quotes", "word", "escapes"])
def test_no_value_is_quoted_in_full(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(RiseMLError) as caught:
        CALLS[name](Client(tmp_path / "home"), value)
    text = f"{caught.value} {caught.value.advice}"
    assert text.replace("\n", "").isprintable()
    for start in range(12):
        assert value[start : start + 201] not in text or len(value) < 201
