"""`riseml config` and `riseml user login`, without a cluster."""

import io
import json
import stat
from pathlib import Path

import pytest

from riseml.cluster import contexts, keys
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.errors import NotFoundError
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
    """Return the settings file of a login, to a cluster with an Argo Server."""
    cluster_settings = {
        "data": {"user": "paul", "argo-server": "https://argo.example.com"}
    }
    monkeypatch.setattr(Api, "find", lambda self, path: cluster_settings)
    return tmp_path / "home" / "config"


def test_login_selects_a_context(settings_file: Path, riseml: Riseml) -> None:
    result = riseml("user", "login", "--api-key", keys.encode(PAUL))
    assert (result.status, result.out) == (
        0,
        "you are: paul on https://lab.example.com:6443\n",
    )
    assert stat.S_IMODE(settings_file.stat().st_mode) == 0o600
    connection = contexts.load(settings_file).connection()
    assert (connection.token, connection.authority, connection.namespace) == (
        "eyJ.abc.def",
        "CERTIFICATE",
        "riseml-paul",
    )
    assert (connection.argo, connection.name) == (
        "https://argo.example.com",
        "paul@lab.example.com",
    )


def test_login_with_another_argo_server(settings_file: Path, riseml: Riseml) -> None:
    login = ("user", "login", "--api-key", keys.encode(PAUL), "--argo-server")
    result = riseml(*login, "http://argo.example.com")
    assert (result.status, result.out) == (2, "")
    assert (
        "the Argo Server http://argo.example.com does not begin with https://"
        in result.err
    )
    assert riseml(*login, "http://localhost:2746/").status == 0
    assert contexts.load(settings_file).connection().argo == "http://localhost:2746"


def test_login_reads_the_key_from_standard_input(
    settings_file: Path, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(keys.encode(PAUL) + "\n"))
    assert riseml("user", "login").status == 0
    assert contexts.load(settings_file).current == "paul@lab.example.com"


def test_config_lists_and_selects_contexts_without_showing_keys(
    settings_file: Path, riseml: Riseml
) -> None:
    riseml("user", "login", "--api-key", keys.encode(PAUL))
    assert riseml("config", "list", "-o", "name").out == "local\npaul@lab.example.com\n"
    assert riseml("config", "use", "local").status == 0
    assert "\n* local" in riseml("config", "list").out
    assert riseml("config", "use", "paul@lab.example.com").status == 0
    assert "\n* paul@lab.example.com paul" in riseml("config", "list").out
    assert riseml("config", "use", "nowhere").status == 4
    texts = riseml("config", "show").out + riseml("config", "list", "-o", "json").out
    assert "argo" in texts
    assert "eyJ" not in texts


def test_login_names_a_setting_that_overrides_it(
    settings_file: Path, riseml: Riseml
) -> None:
    settings_file.parent.mkdir(exist_ok=True)
    settings_file.write_text("engine: local\n", "utf-8")
    result = riseml("user", "login", "--api-key", keys.encode(PAUL))
    assert (
        f"But {settings_file} sets `engine: local`, which overrides this." in result.err
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


def test_a_setting_is_changed(settings_file: Path, riseml: Riseml) -> None:
    riseml("user", "login", "--api-key", keys.encode(PAUL))
    result = riseml("config", "set", "gpus.shared_with_others", "yes")
    assert (result.status, result.out, result.err) == (
        0,
        "",
        f"gpus.shared_with_others is now yes in {settings_file}.\n",
    )
    assert "gpus.shared_with_others: true\n" in settings_file.read_text()
    assert contexts.load(settings_file).connection().token == "eyJ.abc.def"
    shown = json.loads(riseml("config", "show", "-o", "json").out)
    assert shown["gpus_shared_with_others"] is True


def test_settings_have_the_names_that_change_them(
    settings_file: Path, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RISEML_RUNNER", raising=False)
    riseml("config", "set", "runner", "podman")
    riseml("config", "set", "resources.enforce", "true")
    rows = [line.split() for line in riseml("config", "show").out.splitlines()]
    assert ["runner", "podman", str(settings_file)] in rows
    assert ["resources.enforce", "True", str(settings_file)] in rows
    assert ["gpus.shared_with_others", "False"] in rows
    shown = json.loads(riseml("config", "show", "-o", "json").out)
    assert (shown["runner"], shown["resources_enforce"]) == ("podman", True)


def test_an_override_of_a_changed_setting_is_named(
    settings_file: Path, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_WORKDIR_LIMIT", "1GB")
    result = riseml("config", "set", "workdir_limit", "20 GB")
    assert result.err == (
        f"workdir_limit is now 20 GB in {settings_file}.\nRISEML_WORKDIR_LIMIT overrides it.\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gpus.shared", "true", "unknown setting 'gpus.shared'"),
        (
            "gpus.shared_with_others",
            "maybe",
            "gpus.shared_with_others: 'maybe' is neither true nor false",
        ),
    ],
)
def test_a_wrong_setting_is_refused(
    name: str, value: str, message: str, settings_file: Path, riseml: Riseml
) -> None:
    result = riseml("config", "set", name, value)
    assert result.status == 2
    assert message in result.err
    assert not settings_file.exists()


def test_a_connection_without_a_context_says_how_to_choose_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no context is chosen") as failure:
        contexts.load(tmp_path / "config").connection()
    assert "`riseml config use`" in failure.value.advice


def test_an_engine_without_runners_refuses_one(riseml: Riseml, tmp_path: Path) -> None:
    file = tmp_path / "riseml.yml"
    file.write_text("project: net\ntrain: {image: python:3.12, run: 'true'}\n", "utf-8")
    result = riseml("train", "-f", str(file), "--runner", "podman")
    assert result.status == 1
    assert "has no runners: its jobs run in pods" in result.err
