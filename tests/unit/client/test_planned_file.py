"""Plans from the cache equal new ones, and each input of a plan leads to another entry."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from riseml import code_stamp, config
from riseml.client import config_file, planned_file
from riseml.client.types import NO_OVERRIDES, Overrides
from riseml.errors import ConfigError, InvalidInputError
from riseml.plan import ExperimentSet

EXAMPLES = sorted(Path("examples").glob("*/riseml.yml"))
# A warning says that the memory is small.
CONFIG = "project: net\ntrain: {resources: {mem: 1}, image: busybox, run: echo}\n"


@pytest.fixture(autouse=True)
def _stamped(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever works here has changed files just now.
    monkeypatch.setattr(code_stamp, "current", lambda: "the code")
    # Other tests read tables.
    monkeypatch.delitem(sys.modules, "riseml.config.tables", raising=False)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the paths of the files that are checked and planned."""
    paths: list[object] = []
    load = config_file.load

    def recorded(path: str | Path, overrides: Overrides = NO_OVERRIDES) -> Any:
        paths.append(path)
        return load(path, overrides)

    monkeypatch.setattr(config_file, "load", recorded)
    return paths


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "riseml.yml"
    path.write_text(CONFIG)
    return path


def read(
    file: Path | str, home: Path, overrides: Overrides = NO_OVERRIDES
) -> planned_file.PlannedFile:
    planned = planned_file.read(file, overrides, home)
    planned.keep(home)
    return planned


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.parent.name)
def test_the_plans_of_all_examples_are_the_same(
    example: Path, tmp_path: Path, loads: list[object]
) -> None:
    first, second = read(example, tmp_path), read(example, tmp_path)
    is_random = first.plan.search.seed is not None
    assert len(loads) == (2 if is_random else 1)
    if not is_random:
        assert second.plan == first.plan
        # With all types
        assert repr(second.plan) == repr(first.plan)
        assert isinstance(second.plan, ExperimentSet)
        assert second.warnings == first.warnings


def test_warnings_come_again(file: Path, tmp_path: Path, loads: list[object]) -> None:
    first, second = read(file, tmp_path), read(file, tmp_path)
    assert len(loads) == 1
    (warning,) = second.warnings
    assert str(warning) == str(first.warnings[0])
    assert "only 1 megabytes" in str(warning)


def test_each_input_is_compared(
    file: Path,
    tmp_path: Path,
    loads: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = CONFIG.replace("{res", "{parameters: {lr: 5}, res")
    file.write_text(text)
    read(file, tmp_path)
    # Messages contain the name as it was given.
    monkeypatch.chdir(tmp_path)
    assert read("riseml.yml", tmp_path).warnings[0].file == "riseml.yml"
    assert len(loads) == 2
    changed = Overrides(settings=("train.timeout=1h",))
    assert read(file, tmp_path, changed).plan.timeout == 3600
    assert read(file, tmp_path).plan.timeout is None
    assert len(loads) == 3
    grid = Overrides(parameters=("lr=1,2",))
    assert len(read(file, tmp_path, grid).plan.experiments) == 2
    assert len(loads) == 4
    # The same size, within the same second
    file.write_text(text.replace("echo", "date"))
    assert read(file, tmp_path).plan.jobs[0].run == ("date",)
    assert len(loads) == 5
    monkeypatch.setattr(code_stamp, "current", lambda: "other code")
    read(file, tmp_path)
    assert len(loads) == 6
    read(file, tmp_path)
    assert len(loads) == 6


def test_faults_are_never_kept(file: Path, tmp_path: Path) -> None:
    file.write_text(CONFIG.replace("run", "runs").replace("mem", "memm"))
    for _ in range(2):
        with pytest.raises(ConfigError) as error:
            read(file, tmp_path)
        assert len(error.value.faults) == 3
    file.write_text("project: net\n")
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="nothing to train"):
            read(file, tmp_path)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["missing.yml", "folder", "pipe"])
def test_what_is_no_file_is_refused_as_before(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name
    with pytest.raises(ConfigError) as expected:
        config.load(path)
    with pytest.raises(ConfigError) as error:
        read(path, tmp_path)
    assert str(error.value) == str(expected.value)


@pytest.mark.parametrize(
    "parameters",
    [
        "{file: cells.csv}",
        "{lr: {uniform: [0, 1]}}, search: {method: random, trials: 2}",
        "{lr: {uniform: [0, 1]}}, search: {method: random, trials: 2, seed: 1}",
    ],
)
def test_plans_that_follow_from_more_than_the_file_are_not_kept(
    file: Path, tmp_path: Path, loads: list[object], parameters: str
) -> None:
    (tmp_path / "cells.csv").write_text("lr\n1\n2\n")
    file.write_text(CONFIG.replace("{res", f"{{parameters: {parameters}, res"))
    for number in (1, 2):
        assert len(read(file, tmp_path).plan.experiments) == 2
        assert len(loads) == number
    assert not (tmp_path / "cache").exists()


def test_plans_of_other_packages_are_not_kept(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "riseml.search.grid")
    planned = planned_file.read(file, NO_OVERRIDES, tmp_path)
    monkeypatch.delitem(sys.modules, "riseml.search.grid", raising=False)
    planned.keep(tmp_path)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("code", [None, "replaced"])
def test_code_that_changes_meanwhile_keeps_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str | None
) -> None:
    planned = planned_file.read(file, NO_OVERRIDES, tmp_path)
    monkeypatch.setattr(code_stamp, "current", lambda: code)
    planned.keep(tmp_path)
    assert not (tmp_path / "cache").exists()


def test_a_large_file_is_planned_each_time(
    file: Path, tmp_path: Path, loads: list[object]
) -> None:
    file.write_text(CONFIG + "# a comment\n" * 10_000)
    read(file, tmp_path)
    read(file, tmp_path)
    assert len(loads) == 2
    assert not (tmp_path / "cache").exists()
