"""Login: entries from keys and kubeconfigs, the request that verifies them, and the saved context."""

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from riseml.cluster import access, contexts, keys, reviews
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.errors import InvalidInputError, NotAllowedError, NotFoundError

PAUL = Connection(
    "https://lab.example.com:6443",
    "CERTIFICATE",
    "eyJ.abc.def",
    namespace="riseml-paul",
    user="paul",
)
KUBECONFIG = {
    "current-context": "lab",
    "contexts": [
        {"name": "lab", "context": {"cluster": "lab", "user": "admin"}},
        {
            "name": "ida",
            "context": {"cluster": "lab", "user": "admin", "namespace": "riseml-ida"},
        },
    ],
    "clusters": [{"name": "lab", "cluster": {"server": "https://lab:6443"}}],
    "users": [{"name": "admin", "user": {"token": "t"}}],
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Return a kubeconfig with the contexts `lab`, the current one, and `ida`."""
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(KUBECONFIG))
    return file


def answer(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any] | None
) -> list[str]:
    """Let every cluster answer with a ConfigMap; return the requested paths."""
    requested: list[str] = []

    def find(_api: Api, url_path: str) -> dict[str, Any] | None:
        requested.append(url_path)
        return settings

    monkeypatch.setattr(Api, "find", find)
    return requested


def test_a_key_gives_an_entry_for_the_settings_file() -> None:
    entry = access.by_key(keys.encode(PAUL))
    assert entry == access.Entry(
        connection=PAUL,
        user={"name": "paul", "api-key": "eyJ.abc.def", "namespace": "riseml-paul"},
        cluster={
            "server": "https://lab.example.com:6443",
            "certificate-authority-data": "Q0VSVElGSUNBVEU=",
        },
        name="paul@lab.example.com",
    )


def test_a_cluster_that_every_system_trusts_needs_no_authority() -> None:
    key = keys.encode(replace(PAUL, authority=""))
    entry = access.by_key(key, server="https://gate.example.com/")
    assert entry.cluster == {"server": "https://gate.example.com"}
    assert entry.name == "paul@gate.example.com"


def test_a_key_is_not_sent_without_tls() -> None:
    key = keys.encode(replace(PAUL, server="http://lab.example.com"))
    with pytest.raises(InvalidInputError, match="does not begin with https://"):
        access.by_key(key)


def test_the_user_of_a_kubeconfig_is_that_of_the_namespace(kubeconfig: Path) -> None:
    entry = access.by_kubeconfig(str(kubeconfig), "ida", None)
    assert (entry.connection.user, entry.connection.namespace) == ("ida", "riseml-ida")
    assert entry.connection.server == "https://lab:6443"
    assert entry.user == {
        "kubeconfig": str(kubeconfig),
        "context": "ida",
        "namespace": "riseml-ida",
    }
    assert (entry.cluster, entry.name) == ({}, "ida")


def test_a_namespace_may_be_chosen(kubeconfig: Path) -> None:
    entry = access.by_kubeconfig(str(kubeconfig), None, "riseml-paul")
    assert entry.name == "lab"
    assert entry.user["namespace"] == "riseml-paul"
    assert entry.connection.user == "paul"


def test_an_unknown_context_of_a_kubeconfig_is_an_error(kubeconfig: Path) -> None:
    with pytest.raises(InvalidInputError, match="no usable kubeconfig"):
        access.by_kubeconfig(str(kubeconfig), "other", None)


def test_the_kubeconfig_is_the_first_existing_one(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = kubeconfig.with_name("missing")
    monkeypatch.setenv("KUBECONFIG", f"{missing}:{kubeconfig}")
    assert access._default_kubeconfig() == str(kubeconfig)
    monkeypatch.setenv("KUBECONFIG", str(missing))
    monkeypatch.setenv("HOME", str(kubeconfig.parent))
    assert access._default_kubeconfig() == str(missing)


def test_the_cluster_completes_a_verified_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requested = answer(
        monkeypatch, {"data": {"user": "Paul", "argo-server": "https://argo:2746"}}
    )
    entry = access.verified(access.by_key(keys.encode(PAUL)))
    assert requested == ["/api/v1/namespaces/riseml-paul/configmaps/riseml"]
    assert entry.connection == replace(PAUL, user="Paul", argo="https://argo:2746")
    assert entry.cluster["argo-server"] == "https://argo:2746"
    assert entry.cluster["server"] == PAUL.server


def test_a_cluster_may_have_no_argo_server(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, {})
    entry = access.verified(access.by_key(keys.encode(PAUL)))
    assert entry.connection == PAUL
    assert "argo-server" not in entry.cluster


def test_a_namespace_without_a_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, None)
    entry = access.by_key(keys.encode(PAUL))
    with pytest.raises(NotFoundError, match="riseml-paul does not belong to") as caught:
        access.verified(entry)
    assert "--namespace" in caught.value.advice


@pytest.mark.parametrize(
    ("context", "advice"),
    [
        ("ida", "riseml user update --username ida --subject ana@example.com`"),
        ("lab", "Name a user's namespace with --namespace: riseml-NAME."),
    ],
)
def test_a_person_without_access_learns_what_the_cluster_calls_them(
    context: str, advice: str, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(_api: Api, _path: str) -> None:
        raise NotAllowedError("not allowed: configmaps is forbidden")

    monkeypatch.setattr(Api, "find", find)
    monkeypatch.setattr(reviews, "name_of_user", lambda _: "ana@example.com")
    entry = access.by_kubeconfig(str(kubeconfig), context, None)
    with pytest.raises(NotAllowedError) as caught:
        access.verified(entry)
    namespace = entry.connection.namespace
    assert str(caught.value) == f"ana@example.com may not use the namespace {namespace}"
    assert advice in caught.value.advice


def test_only_a_forwarded_argo_server_may_lack_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer(monkeypatch, {"data": {"argo-server": "https://argo:2746"}})
    entry = access.by_key(keys.encode(PAUL))
    for url in ("http://localhost:2746", "http://[::1]:2746", "https://gate/argo/"):
        assert access.verified(entry, argo=url).connection.argo == url.rstrip("/")
    with pytest.raises(InvalidInputError, match="the Argo Server http://argo:2746"):
        access.verified(entry, argo="http://argo:2746")


def test_a_login_is_saved_as_the_current_context(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("gitignore: false\n")
    entry = access.by_key(keys.encode(PAUL))
    assert access.remember(file, entry) == "paul@lab.example.com"
    assert access.remember(file, entry, "lab") == "lab"
    saved = contexts.load(file)
    assert (saved.current, saved.names) == ("lab", ["paul@lab.example.com", "lab"])
    assert saved.connection() == replace(PAUL, name="lab")
    assert yaml.safe_load(file.read_text())["gitignore"] is False
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_name_of_this_machine_is_reserved(tmp_path: Path) -> None:
    entry = access.by_key(keys.encode(PAUL))
    with pytest.raises(InvalidInputError, match="'local' is reserved"):
        access.remember(tmp_path / "config", entry, "local")
    assert not (tmp_path / "config").exists()
