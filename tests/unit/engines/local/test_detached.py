"""Environment of a controller."""

from pathlib import Path

import pytest

from riseml.engines.local import detached


@pytest.mark.parametrize("value", [".:/lib:sub", ":/lib:sub"])
def test_folders_of_modules_are_those_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", value)
    monkeypatch.setenv("SECRET", "of the command")
    environment = detached._environment()
    assert environment["PYTHONPATH"] == f"{tmp_path}:/lib:{tmp_path}/sub"
    assert "SECRET" not in environment


def test_an_empty_list_of_folders_stays_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    assert detached._environment()["PYTHONPATH"] == ""
