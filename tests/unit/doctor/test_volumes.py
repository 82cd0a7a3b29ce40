"""Check of files and Git in volumes, with the shell and Git of this machine."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml.doctor import FAILED, OK, SKIPPED, volumes
from riseml.doctor.check_context import CheckContext
from riseml.doctor.findings import Outcome
from riseml.plan import Target
from tests.unit.shell_store import Shell

NAMESPACE = "/api/v1/namespaces/riseml-paul/configmaps"
READ_ONLY = "mkdir: cannot create directory: Read-only file system"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A store's volume, with an output volume beside it."""
    repositories = tmp_path / "repos"
    repositories.mkdir()
    (tmp_path / "output").mkdir()

    return tmp_path


def examine(folder: Path) -> Outcome:
    context = SimpleNamespace(store=Shell(folder / "output"))
    # The check's argument is the path itself.
    folders = (str(folder / "repos"), str(folder / "output"))
    return volumes.access(cast(CheckContext, context), folders)


def test_files_and_git_work(volume: Path) -> None:
    assert examine(volume) == Outcome(OK, f"user {os.getuid()} writes and reads them")
    assert sorted(path.name for path in volume.rglob("*")) == ["output", "repos"]


def test_git_works_in_files_of_another_owner(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert examine(volume).result == OK
    monkeypatch.setattr(volumes, "_ACCESS", volumes._ACCESS.replace("safe.", "other."))
    outcome = examine(volume)
    assert outcome.result == FAILED
    assert "repos: fatal: detected dubious ownership in repository" in outcome.detail


def test_another_owner_of_new_files_is_named(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = volume / "tools"
    tools.mkdir()
    program(tools / "stat", "echo 65534")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    user = os.getuid()
    detail = f"user {user} writes and reads them; new files belong to user 65534"
    assert examine(volume) == Outcome(OK, detail)


def test_a_volume_that_cannot_be_written_is_named(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = volume / "tools"
    tools.mkdir()
    program(tools / "mkdir", f"echo '{READ_ONLY}' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    outcome = examine(volume)
    assert outcome.result == FAILED
    assert outcome.detail == f"{volume / 'repos'}: {READ_ONLY}"


def program(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_without_a_store_nothing_is_examined() -> None:
    context = cast(CheckContext, SimpleNamespace(store=None))
    assert volumes.access(context).result == SKIPPED


def outputs(target: Target, objects: Mapping[str, Any]) -> Outcome:
    """Return what is found about the output of a namespace with these objects."""
    api = SimpleNamespace(find=objects.get, items=lambda at: objects.get(at, []))
    context = SimpleNamespace(api=api, namespace="riseml-paul", target=target)
    return volumes.outputs(cast(CheckContext, context))


def test_the_place_of_output_is_found() -> None:
    assert outputs(Target(), {}) == Outcome(OK, "the volume riseml-output")
    saving = Target(saves_artifacts=True)
    annotations = {"workflows.argoproj.io/default-artifact-repository": "s3"}
    own = {
        f"{NAMESPACE}/artifact-repositories": {"metadata": {"annotations": annotations}}
    }
    detail = "Argo's artifact repository s3, of artifact-repositories"
    assert outputs(saving, own) == Outcome(OK, detail)
    missing = outputs(saving, {})
    assert missing.result == FAILED
    assert missing.detail == "there is no artifact repository for riseml-paul"
    assert "docs/cluster/storage.md" in missing.fix
