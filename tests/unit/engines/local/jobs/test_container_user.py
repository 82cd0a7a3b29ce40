"""The user of a container is that of its image, and may write to the job's folders."""

import os
from pathlib import Path

import pytest

from riseml.engines.local.jobs import container_user


def options(kind: str, user: str, folder: Path, ids: str = "1000") -> list[str]:
    def answer(words: list[str]) -> str:
        return user if words[0] == "image" else ids

    spec = {"image": "image", "kind": kind, "writable": [str(folder)]}
    return container_user.options(spec, answer)


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "getgid", lambda: uid)


@pytest.mark.parametrize(("kind", "uid"), [("podman", 0), ("podman", 7), ("docker", 0)])
def test_root_of_an_image_needs_nothing(
    kind: str, uid: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, uid)
    tmp_path.chmod(0o700)
    assert options(kind, "root", tmp_path) == []
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_what_root_of_docker_makes_is_given_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, 7)
    assert options("docker", "", tmp_path) == ["--env", "RISEML_OWNER=7:7"]


@pytest.mark.parametrize(("kind", "uid"), [("podman", 0), ("docker", 0), ("docker", 7)])
def test_another_user_may_write_as_on_a_cluster(
    kind: str, uid: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, uid)
    assert options(kind, "1000", tmp_path) == []
    assert tmp_path.stat().st_mode & 0o777 == 0o777


def test_another_user_is_this_user_in_podman_of_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, 7)
    expected = ["--userns", "keep-id:uid=1000,gid=1000"]
    assert options("podman", "jovyan", tmp_path) == expected
