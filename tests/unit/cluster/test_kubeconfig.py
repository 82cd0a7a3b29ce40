"""Kubeconfigs: merging, sections, files and data."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from riseml.cluster import kubeconfig
from riseml.errors import InvalidInputError


def write(file: Path, **content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    return file


def clusters(*names: str, server: str = "https://lab:6443") -> list[dict[str, Any]]:
    return [{"name": name, "cluster": {"server": server}} for name in names]


def contexts(*names: str, **fields: str) -> list[dict[str, Any]]:
    context = {"cluster": "lab", "user": "ana", **fields}
    return [{"name": name, "context": context} for name in names]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a kubeconfig with the contexts `lab`, the current one, and `team`."""
    return write(
        tmp_path / "kubeconfig",
        **{"current-context": "lab"},
        clusters=clusters("lab"),
        contexts=[*contexts("lab"), *contexts("team", namespace="riseml-vision")],
        users=[{"name": "ana", "user": {"token": "t"}}],
    )


def test_the_current_context_or_a_named_one(file: Path) -> None:
    current = kubeconfig.read(file)
    assert (current.name, current.namespace) == ("lab", "")
    assert current.cluster.text("server") == "https://lab:6443"
    assert (current.user.name, current.user.text("token")) == ("ana", "t")
    named = kubeconfig.read(file, "team")
    assert (named.name, named.namespace) == ("team", "riseml-vision")


def test_the_first_file_that_names_something_wins(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path / "other" / "kubeconfig",
        **{"current-context": "other"},
        clusters=clusters("lab", "second", server="https://second"),
        contexts=contexts("other"),
        users=[{"name": "ana", "user": {"token": "second"}}],
    )
    second, missing = tmp_path / "other" / "kubeconfig", tmp_path / "missing"
    monkeypatch.setenv("KUBECONFIG", f"{missing}:{file}:{second}")
    merged = kubeconfig.read()
    assert merged.name == "lab"
    assert merged.paths == f"{missing}:{file}:{second}"
    other = kubeconfig.read(None, "other")
    assert other.cluster.text("server") == "https://lab:6443"
    assert other.user.text("token") == "t"


def test_the_default_is_the_file_in_the_home(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".kube").mkdir()
    file.rename(tmp_path / ".kube" / "config")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert kubeconfig.read().name == "lab"


def test_a_missing_file_and_a_missing_current_context(
    file: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(
        InvalidInputError, match="does not exist, or is empty"
    ) as caught:
        kubeconfig.read(missing)
    assert "riseml user login" in caught.value.advice
    file.write_text("contexts: []")
    with pytest.raises(InvalidInputError, match="names no current context"):
        kubeconfig.read(file)


def test_an_unknown_context_lists_those_that_exist(file: Path) -> None:
    with pytest.raises(InvalidInputError, match="no context 'x'") as caught:
        kubeconfig.read(file, "x")
    assert "contexts: lab, team" in str(caught.value)


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    section = kubeconfig.Section("lab", {"certificate-authority": "ca.crt"}, tmp_path)
    assert section.file("certificate-authority") == tmp_path / "ca.crt"
    (tmp_path / "ca.crt").write_bytes(b"PEM")
    assert section.data("certificate-authority") == b"PEM"
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(InvalidInputError, match="No such file or directory"):
        section.data("certificate-authority")


def test_data_in_the_file_comes_before_a_path() -> None:
    inline = base64.b64encode(b"INLINE").decode()
    content = {"client-key-data": inline, "client-key": "/missing"}
    assert kubeconfig.Section("ana", content).data("client-key") == b"INLINE"
    assert kubeconfig.Section("ana", {}).data("client-key") is None
    with pytest.raises(InvalidInputError, match="client-key-data of ana is not Base64"):
        kubeconfig.Section("ana", {"client-key-data": "%"}).data("client-key")
