"""Contexts in a settings file that users edit by hand."""

import os
from pathlib import Path

import pytest

from riseml.cluster import contexts
from riseml.cluster.connection import from_kubeconfig
from riseml.errors import InvalidInputError

_LAB = """
current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: lab}}]
clusters: [{name: lab, cluster: {server: "https://x/", certificate-authority-data: aGk=}}]
users: [{name: lab, user: {name: paul, api-key: abc}}]
engine: argo
later: {of: [a, newer, version]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config"


def test_a_context_and_what_this_version_does_not_know_survive_a_change(
    file: Path,
) -> None:
    file.write_text(_LAB)
    stored = contexts.load(file)
    connection = stored.connection()
    assert (connection.server, connection.authority) == ("https://x", "hi")
    assert (connection.token, connection.user) == ("abc", "paul")
    stored.put("new", {"server": "https://y"}, {"name": "eva"})
    stored.save()
    stored = contexts.load(file)
    assert stored.names == ["lab", "new"]
    assert stored.current == "new"
    assert stored.content["later"] == {"of": ["a", "newer", "version"]}


@pytest.mark.parametrize(
    "text", ["a: [", "a: !!timestamp 2001-13-45", "[1]", "a: " + "9" * 5000, "\0", "é"]
)
def test_a_faulty_file_has_no_contexts(text: str, file: Path) -> None:
    """So its user can log in again."""
    file.write_bytes(text.encode("latin-1"))
    assert contexts.load(file).names == []


def test_a_pipe_has_no_contexts(file: Path) -> None:
    os.mkfifo(file)
    assert contexts.load(file).names == []


@pytest.mark.parametrize("authority", ["x", "/w==", "[1]", "{a: b}"])
def test_a_damaged_authority_is_named(authority: str, file: Path) -> None:
    file.write_text(_LAB.replace("aGk=", authority))
    with pytest.raises(InvalidInputError, match="certificate-authority-data"):
        contexts.load(file).connection()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contexts: [", "config:1:12: the value that begins here is not closed"),
        ("contexts: \x07", "config:1:11: the character U\\+0007 is not allowed"),
        ("contexts: 1.5", "no usable kubeconfig: "),
        ("current-context: a\ncontexts: [{name: a, context: 1}]", "no usable kubecon"),
        ("a: !!timestamp 2001-13-45", "config:1:4: the tag .* is not allowed"),
        ("", "no usable kubeconfig: "),
    ],
)
def test_a_faulty_kubeconfig(text: str, message: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(InvalidInputError, match=message) as caught:
        from_kubeconfig(file)
    assert caught.value.advice


def test_a_kubeconfig_that_is_a_pipe(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(InvalidInputError, match="config is not a regular file"):
        from_kubeconfig(file)
