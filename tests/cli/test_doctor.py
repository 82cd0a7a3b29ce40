"""`riseml doctor`: formats of findings, and the exit status."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.doctor import FAILED, OK, SKIPPED, WARNING, Finding
from tests.cli.conftest import Riseml

FINDINGS = [
    Finding("Python", OK, "3.12"),
    Finding("The API server answers", OK, "Kubernetes 1.33"),
    Finding(
        "Room in the quota", WARNING, "used up: requests.cpu 8 of 8", "New jobs wait."
    ),
    Finding(
        "The store's pod", FAILED, "there is none", "An administrator can recreate it."
    ),
    Finding("Nodes and their GPUs", SKIPPED, "only administrators may read this"),
]
TABLE = """\
✓ Python                                       3.12
✓ The API server answers                       Kubernetes 1.33
! Room in the quota                            used up: requests.cpu 8 of 8
  → New jobs wait.
✗ The store's pod                              there is none
  → An administrator can recreate it.
"""


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "doctor", lambda self: iter(FINDINGS))


def test_formats_of_findings(riseml: Riseml) -> None:
    result = riseml("doctor")
    assert result.out == TABLE
    assert result.err == "5 checks, 1 failed, 1 skipped (`-o wide` says why).\n"
    assert result.status == 1
    assert riseml("doctor", "-o", "wide").out.endswith(
        "- Nodes and their GPUs                         only administrators may read this\n"
    )
    assert riseml("doctor", "-o", "name").out == "The store's pod\n"
    assert json.loads(riseml("doctor", "-o", "json").out)[3] == {
        "check": "The store's pod",
        "result": "failed",
        "detail": "there is none",
        "fix": "An administrator can recreate it.",
    }


def test_signs_have_valid_colours(riseml: Riseml, screen: Callable[..., None]) -> None:
    screen(120)
    lines = riseml("doctor", "-o", "wide").out.splitlines()
    signs = [line.partition(" ")[0] for line in lines]
    assert signs[0] == "\x1b[32m✓\x1b[0m"
    assert signs[-1] == "\x1b[2m-\x1b[0m"


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        (FINDINGS[:3], 0),
        (FINDINGS, 1),
        ([Finding("The API server answers", FAILED, "it is away")], 3),
    ],
)
def test_the_exit_status(
    findings: list[Finding],
    status: int,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Client, "doctor", lambda self: iter(findings))
    assert riseml("doctor").status == status


def test_an_engine_without_a_list_of_runs_has_nothing_to_repair(riseml: Riseml) -> None:
    result = riseml("doctor", "--repair")
    assert (result.out, result.status) == ("", 2)
    assert "the engine fake keeps no list of runs on this machine" in result.err


KUBECONFIG = """
clusters: [{name: lab, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: root, user: {token: secret}}]
contexts: [{name: lab, context: {cluster: lab, user: root}}]
current-context: lab
"""


def test_an_administrator_checks_the_cluster_of_kubeconfig(
    riseml: Riseml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "admin.kubeconfig"
    file.write_text(KUBECONFIG, "utf-8")
    monkeypatch.setenv("KUBECONFIG", str(file))
    result = riseml("doctor")
    assert result.status == 3
    assert "✗ The API server answers" in result.out
    assert "https://127.0.0.1:1, as its administrator" in result.err
    assert "checks, 1 failed" in result.err
    monkeypatch.delenv("KUBECONFIG")
    assert riseml("doctor").out == TABLE
    result = riseml("doctor", "--kubeconfig", str(file))
    assert (result.status, "as its administrator" in result.err) == (3, False)


@pytest.mark.parametrize("text", ["current-context: ''\n", "engine: local\n"])
def test_whoever_has_chosen_this_machine_checks_it(
    riseml: Riseml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config").write_text(text, "utf-8")
    assert riseml("doctor").out == TABLE
