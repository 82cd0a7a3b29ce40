"""`riseml config` and `riseml user login`, as far as no cluster is asked."""

import io
import stat
from pathlib import Path

import pytest

from riseml.cluster import contexts, keys
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from tests.cli.conftest import Riseml

PAUL = Connection(
    "https://lab.example.com:6443",
    "CERTIFICATE",
    "eyJ.abc.def",
    namespace="riseml-paul",
    user="paul",
)


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a login writes; the cluster that it asks knows of an Argo Server."""
    told = {"data": {"user": "paul", "argo-server": "https://argo.example.com"}}
    monkeypatch.setattr(Api, "find", lambda self, at: told)
    return tmp_path / "home" / "config"


def test_a_login_is_a_context_that_is_in_use(
    settings_file: Path, riseml: Riseml
) -> None:
    said = riseml("user", "login", "--api-key", keys.encode(PAUL))
    assert (said.status, said.out) == (
        0,
        "you are: paul on https://lab.example.com:6443\n",
    )
    assert stat.S_IMODE(settings_file.stat().st_mode) == 0o600
    found = contexts.load(settings_file).connection()
    assert (found.token, found.authority, found.namespace) == (
        "eyJ.abc.def",
        "CERTIFICATE",
        "riseml-paul",
    )
    assert (found.argo, found.name) == (
        "https://argo.example.com",
        "paul@lab.example.com",
    )


def test_another_argo_server_than_the_clusters(
    settings_file: Path, riseml: Riseml
) -> None:
    login = ("user", "login", "--api-key", keys.encode(PAUL), "--argo-server")
    said = riseml(*login, "http://argo.example.com")
    assert (said.status, said.out) == (2, "")
    assert (
        "the Argo Server http://argo.example.com does not begin with https://"
        in said.err
    )
    assert riseml(*login, "http://localhost:2746/").status == 0
    assert contexts.load(settings_file).connection().argo == "http://localhost:2746"


def test_the_key_may_come_from_standard_input(
    settings_file: Path, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(keys.encode(PAUL) + "\n"))
    assert riseml("user", "login").status == 0
    assert contexts.load(settings_file).current == "paul@lab.example.com"


def test_contexts_are_listed_and_chosen_and_show_no_key(
    settings_file: Path, riseml: Riseml
) -> None:
    riseml("user", "login", "--api-key", keys.encode(PAUL))
    assert riseml("config", "list", "-o", "name").out == "local\npaul@lab.example.com\n"
    assert riseml("config", "use", "local").status == 0
    assert "\n* local" in riseml("config", "list").out
    assert riseml("config", "use", "paul@lab.example.com").status == 0
    assert "\n* paul@lab.example.com paul" in riseml("config", "list").out
    assert riseml("config", "use", "nowhere").status == 4
    shown = riseml("config", "show").out + riseml("config", "list", "-o", "json").out
    assert "argo" in shown
    assert "eyJ" not in shown


def test_a_setting_that_wins_over_the_choice_is_named(
    settings_file: Path, riseml: Riseml
) -> None:
    settings_file.parent.mkdir(exist_ok=True)
    settings_file.write_text("engine: local\n", "utf-8")
    said = riseml("user", "login", "--api-key", keys.encode(PAUL))
    assert (
        f"But {settings_file} sets `engine: local`, which overrides this." in said.err
    )


def test_a_key_and_a_kubeconfig_exclude_each_other(
    settings_file: Path, riseml: Riseml
) -> None:
    assert (
        riseml(
            "user", "login", "--api-key", keys.encode(PAUL), "--kubeconfig", "x"
        ).status
        == 2
    )
