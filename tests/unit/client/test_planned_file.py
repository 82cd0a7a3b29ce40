"""Plans from the cache equal new ones, and each input of a plan leads to another entry."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from riseml import code_stamp, config, plugins
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
    # Other tests read tables, look for bash and use other packages.
    for name in ("tables", "pipefail"):
        monkeypatch.delitem(sys.modules, f"riseml.config.{name}", raising=False)
        monkeypatch.delattr(config, name, raising=False)
    plugins._installed.cache_clear()


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the paths of the files that are checked and planned."""
    paths: list[object] = []
    load = config_file.load

    def recorded(path: str | Path, *values: Any) -> Any:
        paths.append(path)
        return load(path, *values)

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


THEIRS = """
from riseml.dataclass import dataclass
from riseml.schema.fields import Record

@dataclass
class Options: pass

SECTION = Record(Options, {})
def variables(options): return frozenset()
def image(options, resources): return "busybox"
def warnings(options, image): return ()
def distribute(job, options, image): return (job,)
def trials(parameters, options): return [{"lr": "7"}]
def size(parameters, options): return 1
"""


@pytest.mark.parametrize(
    "lines", ["framework: theirs", "theirs: {}", "parameters: {lr: 1}, search: theirs"]
)
def test_plans_with_other_packages_are_not_kept(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: their-package\nVersion: 1.0\n")
    points = "[riseml.frameworks]\ntheirs = theirs\n[riseml.search]\ntheirs = theirs\n"
    (info / "entry_points.txt").write_text(points)
    (tmp_path / "theirs.py").write_text(THEIRS)
    file.write_text(CONFIG.replace("{res", f"{{{lines}, res"))
    with monkeypatch.context() as installed:
        installed.syspath_prepend(str(tmp_path))
        read(file, tmp_path)
    plugins._installed.cache_clear()
    sys.modules.pop("theirs")
    with pytest.raises(ConfigError, match="theirs"):
        read(file, tmp_path)


def test_a_file_that_changes_while_it_is_planned(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = config_file.load

    def changed(path: str | Path, *values: Any) -> Any:
        file.write_text(CONFIG.replace("echo", "date"))
        return load(path, *values)

    with monkeypatch.context() as another_command:
        another_command.setattr(config_file, "load", changed)
        assert read(file, tmp_path).plan.jobs[0].run == ("echo",)
    assert read(file, tmp_path).plan.jobs[0].run == ("date",)
    file.write_text(CONFIG)
    assert read(file, tmp_path).plan.jobs[0].run == ("echo",)


def test_what_this_machine_has_is_no_input(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    file.write_text(CONFIG.replace("mem: 1", "mem: 100").replace("echo", "ls | sort"))
    for name, status in (("sh", 1), ("bash", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (tmp_path / name).chmod(0o755)
        assert len(read(file, tmp_path).warnings) == status


def test_changes_of_any_kind_of_list(file: Path, tmp_path: Path) -> None:
    class Texts(tuple[str, ...]):
        __slots__ = ()

        def __repr__(self) -> str:
            return "some texts"

    for seconds in (1, 2):
        changes = Overrides(settings=Texts((f"train.timeout={seconds}s",)))
        assert read(file, tmp_path, changes).plan.timeout == seconds


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
