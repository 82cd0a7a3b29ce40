"""`riseml user` on a cluster in memory."""

import base64
import copy
import csv
import io
import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from riseml.cluster import keys
from riseml.cluster.api import Api, path_of
from riseml.cluster.api_errors import ConflictError
from riseml.cluster.connection import Connection
from riseml.cluster.user_token import TOKEN
from riseml.errors import NotFoundError
from tests.cli.conftest import Riseml
from tests.cli.test_schemas import validate

SERVER = "https://lab.example.com:6443"
CREATE_PAUL = ("user", "create", "--username", "paul", "--email", "paul@example.com")


class FakeApi(Api):
    """API server that keeps objects by their paths, and gives every account a token."""

    def __init__(self) -> None:
        super().__init__(Connection(SERVER, authority="CERTIFICATE"))
        self.objects: dict[str, dict[str, Any]] = {}
        self.tokens = 0

    def get(self, url_path: str, **query: Any) -> dict[str, Any]:
        if url_path not in self.objects:
            raise NotFoundError(f"there is no {url_path}")
        return copy.deepcopy(self.objects[url_path])

    def items(
        self, url_path: str, *, metadata: bool = False, **query: Any
    ) -> Iterator[dict[str, Any]]:
        plural = url_path.rpartition("/")[2]
        label = query.get("labelSelector")
        for object_path, body in sorted(self.objects.items()):
            is_selected = not label or label in body["metadata"].get("labels", {})
            if object_path.split("/")[-2] == plural and is_selected:
                yield copy.deepcopy(body)

    def create(
        self, url_path: str, body: Mapping[str, Any], **query: Any
    ) -> dict[str, Any]:
        object_path = f"{url_path}/{body['metadata']['name']}"
        if object_path in self.objects:
            raise ConflictError("it exists already")
        self.objects[object_path] = copy.deepcopy(dict(body))
        return self.get(object_path)

    def apply(
        self,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
        force: bool = True,
    ) -> dict[str, Any]:
        object_path = path_of(body, namespace)
        stored = copy.deepcopy(dict(body))
        if namespace and body["kind"] != "Namespace":
            stored["metadata"]["namespace"] = namespace
        if body["metadata"]["name"] == TOKEN:
            stored["data"] = self.objects.get(object_path, {}).get(
                "data", self._new_token()
            )
        self.objects[object_path] = stored
        return self.get(object_path)

    def patch(self, url_path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.get(url_path)
        _merge(self.objects[url_path], body)
        return self.get(url_path)

    def delete(
        self, url_path: str, *, query: Mapping[str, Any] | None = None, **options: Any
    ) -> bool:
        return self.objects.pop(url_path, None) is not None

    def _new_token(self) -> dict[str, str]:
        self.tokens += 1
        token = f"token-{self.tokens}".encode()
        return {"token": base64.b64encode(token).decode()}


def _merge(body: dict[str, Any], change: Mapping[str, Any]) -> None:
    for name, value in change.items():
        if isinstance(value, Mapping):
            _merge(body.setdefault(name, {}), value)
        else:
            body[name] = value


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Return the cluster of every command in the test."""
    fake = FakeApi()
    monkeypatch.setattr("riseml.cli.user.connect", lambda kubeconfig: fake)
    return fake


def printed_key(out: str) -> Connection:
    """Return the content of the API key that a command printed."""
    (line,) = [line for line in out.splitlines() if line.startswith("API key: ")]
    return keys.decode(line.removeprefix("API key: "))


def test_create_prints_the_user_and_a_key(api: FakeApi, riseml: Riseml) -> None:
    result = riseml(*CREATE_PAUL, "--gpus", "4", "--mem", "64Gi")
    assert result.status == 0, result.err
    assert result.out.startswith("Username: paul\nEmail: paul@example.com\nAPI key: ")
    assert result.out.endswith("\nQuota: memory 0/64Gi, nvidia.com/gpu 0/4\n")
    assert "paul logs in with `riseml user login" in result.err
    assert printed_key(result.out) == Connection(
        SERVER, "CERTIFICATE", "token-1", namespace="riseml-paul", user="paul"
    )
    assert "/api/v1/namespaces/riseml-paul" in api.objects


def test_the_key_contains_the_address_for_users(api: FakeApi, riseml: Riseml) -> None:
    result = riseml(*CREATE_PAUL, "--api-host", "https://gate.example.com")
    assert printed_key(result.out).server == "https://gate.example.com"


def test_create_refuses_an_existing_user(api: FakeApi, riseml: Riseml) -> None:
    assert riseml(*CREATE_PAUL).status == 0
    result = riseml(*CREATE_PAUL)
    assert (result.status, result.out) == (2, "")
    assert "the user paul exists already" in result.err
    assert "riseml user update --username paul" in result.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--username", "x", "--email", "x@example.com"), "cannot be a user's name"),
        (("--username", "ida", "--email", "ida"), "'ida' is not an e-mail address"),
    ],
)
def test_create_refuses_invalid_options(
    options: tuple[str, ...], words: str, api: FakeApi, riseml: Riseml
) -> None:
    result = riseml("user", "create", *options)
    assert result.status == 2
    assert words in result.err
    assert not api.objects


def test_list_has_one_row_for_each_user(api: FakeApi, riseml: Riseml) -> None:
    assert riseml("user", "list", "-o", "name").out == ""
    riseml(*CREATE_PAUL, "--cpus", "8")
    riseml("user", "create", "--username", "ida", "--email", "ida@example.com")
    assert riseml("user", "list", "-o", "name").out == "ida\npaul\n"
    table = [line.split() for line in riseml("user", "list").out.splitlines()]
    assert table == [
        ["Username", "Email", "Enabled"],
        ["ida", "ida@example.com", "True"],
        ["paul", "paul@example.com", "True"],
    ]
    wide = riseml("user", "list", "-o", "wide", "--no-headers").out.splitlines()
    assert wide[1].split() == [
        *("paul", "paul@example.com", "True", "riseml-paul"),
        *("cpu", "0/8"),
    ]


def test_list_as_data_contains_no_keys(api: FakeApi, riseml: Riseml) -> None:
    riseml(*CREATE_PAUL, "--cpus", "8")
    assert json.loads(riseml("user", "list", "-o", "json").out) == [
        {
            "username": "paul",
            "email": "paul@example.com",
            "enabled": True,
            "namespace": "riseml-paul",
            "subjects": [],
            "limits": {"requests.cpu": "8"},
            "used": {},
        }
    ]


def test_display_prints_the_key_again(api: FakeApi, riseml: Riseml) -> None:
    created = riseml(*CREATE_PAUL)
    assert riseml("user", "display", "paul").out == created.out
    record = json.loads(riseml("user", "display", "Paul", "-o", "json").out)
    assert record["username"] == "paul"
    assert keys.decode(record["api_key"]).token == "token-1"
    result = riseml("user", "display", "ida")
    assert result.status == 4
    assert "there is no user ida" in result.err


def test_a_disabled_user_gets_a_new_key_with_update(
    api: FakeApi, riseml: Riseml
) -> None:
    riseml(*CREATE_PAUL)
    assert riseml("user", "disable", "paul", "--yes").out == "User paul disabled\n"
    displayed = riseml("user", "display", "paul").out
    assert "API key: none, the user is disabled" in displayed
    record = json.loads(riseml("user", "display", "paul", "-o", "json").out)
    assert (record["enabled"], record["api_key"]) == (False, None)
    updated = riseml("user", "update", "--username", "paul")
    assert printed_key(updated.out).token == "token-2"


def test_update_prints_no_key_that_is_still_valid(api: FakeApi, riseml: Riseml) -> None:
    riseml(*CREATE_PAUL, "--gpus", "4", "--cpus", "8")
    result = riseml(
        "user", "update", "--username", "paul", "--email", "p@b.org", "--gpus", "none"
    )
    assert (result.status, result.out) == (
        0,
        "Username: paul\nEmail: p@b.org\nQuota: cpu 0/8\n",
    )
    assert "Quota: cpu 0/8\n" in riseml("user", "display", "paul").out


def test_login_takes_a_key_or_a_kubeconfig(riseml: Riseml) -> None:
    result = riseml("user", "login", "--api-key", "x", "--context", "lab")
    assert result.status == 2
    assert "an API key and a kubeconfig exclude each other" in result.err


@pytest.mark.parametrize("words", [("list",), ("display", "paul")])
def test_users_in_all_formats(
    words: tuple[str, ...], api: FakeApi, riseml: Riseml
) -> None:
    riseml(*CREATE_PAUL, "--cpus", "8")
    command = ("user", *words)
    data = validate(f"user-{words[0]}", riseml(*command, "-o", "json").out)
    assert yaml.safe_load(riseml(*command, "-o", "yaml").out) == data
    (row,) = csv.DictReader(io.StringIO(riseml(*command, "-o", "csv").out))
    assert (row["username"], row["enabled"]) == ("paul", "true")
    assert json.loads(row["limits"]) == {"requests.cpu": "8"}
    assert ("api_key" in row) == (words[0] == "display")
    assert riseml(*command, "-o", "name").out == "paul\n"


CREATE_TEAM = (
    *("user", "create", "--username", "vision", "--email", "v@example.com"),
    *("--subject", "group:vision", "--subject", "ana@example.com"),
)
BINDING = (
    "/apis/rbac.authorization.k8s.io/v1/namespaces/riseml-vision/rolebindings/"
    "riseml-user"
)
ROLE = "/apis/rbac.authorization.k8s.io/v1/namespaces/riseml-vision/roles/riseml-user"
KEY_SECRET = f"/api/v1/namespaces/riseml-vision/secrets/{TOKEN}"


def test_a_user_with_subjects_has_no_key(api: FakeApi, riseml: Riseml) -> None:
    result = riseml(*CREATE_TEAM)
    assert (result.status, result.out) == (
        0,
        "Username: vision\nEmail: v@example.com\nSubjects: group:vision, ana@example.com\n",
    )
    assert "riseml user login --kubeconfig FILE --namespace riseml-vision" in result.err
    assert KEY_SECRET not in api.objects
    names = [(item["kind"], item["name"]) for item in api.objects[BINDING]["subjects"]]
    assert names == [("Group", "vision"), ("User", "ana@example.com")]
    (record,) = validate("user-list", riseml("user", "list", "-o", "json").out)
    assert record["subjects"] == ["group:vision", "ana@example.com"]
    displayed = json.loads(riseml("user", "display", "vision", "-o", "json").out)
    assert displayed["api_key"] is None


def test_an_update_adds_and_removes_subjects(api: FakeApi, riseml: Riseml) -> None:
    riseml(*CREATE_TEAM)
    update = ("user", "update", "--username", "vision")
    assert riseml(*update, "--gpus", "4").status == 0
    assert len(api.objects[BINDING]["subjects"]) == 2
    options = ("--subject", "ben", "--remove-subject", "group:vision", "--key")
    changed = riseml(*update, *options)
    assert "Subjects: ana@example.com, ben\n" in changed.out
    assert printed_key(changed.out).namespace == "riseml-vision"
    names = [item["name"] for item in api.objects[BINDING]["subjects"]]
    assert names == ["riseml-user", "ana@example.com", "ben"]
    assert riseml(*update, "--no-key").status == 0
    assert KEY_SECRET not in api.objects
    unknown = riseml(*update, "--remove-subject", "eve")
    assert "Subjects are ana@example.com, ben." in unknown.err
    nobody = ("--remove-subject", "ben", "--remove-subject", "ana@example.com")
    result = riseml(*update, *nobody)
    assert result.status == 2
    assert "nobody could use the namespace" in result.err


def test_disabling_a_user_ends_the_rights_of_subjects(
    api: FakeApi, riseml: Riseml
) -> None:
    riseml(*CREATE_TEAM)
    foreign = BINDING.replace("riseml-user", "editors")
    api.objects[foreign] = {
        "metadata": {"name": "editors"},
        "roleRef": {"kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "User", "name": "ana@example.com"}],
    }
    result = riseml("user", "disable", "vision", "--yes")
    assert result.out == "User vision disabled\n"
    assert "editors gives ana@example.com the ClusterRole edit" in result.err
    assert ROLE not in api.objects
    assert (
        "Access: none, the user is disabled" in riseml("user", "display", "vision").out
    )
    assert riseml("user", "update", "--username", "vision").status == 0
    assert ROLE in api.objects
    assert len(api.objects[BINDING]["subjects"]) == 2


def test_a_key_goes_into_a_file_of_its_owner(
    api: FakeApi, riseml: Riseml, tmp_path: Path
) -> None:
    file = tmp_path / "paul.key"
    file.write_text("an earlier key")
    file.chmod(0o644)
    result = riseml(*CREATE_PAUL, "--output", str(file))
    assert result.out == "Username: paul\nEmail: paul@example.com\n"
    assert f"`riseml user login < {file}`" in result.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keys.decode(file.read_text()).token == "token-1"
    assert [path.name for path in tmp_path.iterdir() if "key" in path.name] == [
        "paul.key"
    ]
    riseml("user", "disable", "paul", "--yes")
    updated = riseml("user", "update", "--username", "paul", "--output", str(file))
    assert "API key" not in updated.out
    assert keys.decode(file.read_text()).token == "token-2"


@pytest.mark.parametrize("target", ["missing/paul.key", "."])
def test_a_key_that_cannot_be_written_creates_no_user(
    target: str, api: FakeApi, riseml: Riseml, tmp_path: Path
) -> None:
    result = riseml(*CREATE_PAUL, "--output", str(tmp_path / target))
    assert result.status == 2
    assert "for the key" in result.err or "does not exist" in result.err
    assert not api.objects


def test_a_user_gets_the_products_of_the_gpus_of_all_nodes(
    riseml: Riseml, api: FakeApi
) -> None:
    riseml(*CREATE_PAUL)
    settings = "/api/v1/namespaces/riseml-paul/configmaps/riseml"
    assert "gpu_products" not in json.loads(api.objects[settings]["data"]["target"])
    label = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}
    api.objects["/api/v1/nodes/a"] = {"metadata": {"name": "a", "labels": label}}
    riseml("user", "update", "--username", "paul")
    target = json.loads(api.objects[settings]["data"]["target"])
    assert target["gpu_products"] == ["NVIDIA-A100-SXM4-40GB"]


STORED_VALUES = "/api/v1/namespaces/riseml/configmaps/riseml-values"
SETTINGS_OF_PAUL = "/api/v1/namespaces/riseml-paul/configmaps/riseml"


def test_values_reach_all_users(api: FakeApi, riseml: Riseml) -> None:
    assert riseml(*CREATE_PAUL).status == 0
    riseml("user", "create", "--username", "ida", "--email", "ida@example.com")
    assert riseml("user", "disable", "ida", "-y").status == 0
    text = "gpuResource: amd.com/gpu\nlimits: {mem: false}\nimagePullSecrets: [hub]\n"
    api.objects[STORED_VALUES] = {"metadata": {}, "data": {"values.yml": text}}
    hub = {"metadata": {"name": "hub"}, "type": "t", "data": {"a": "Yg=="}}
    api.objects["/api/v1/namespaces/riseml/secrets/hub"] = hub
    assert "limit_mem" not in api.objects[SETTINGS_OF_PAUL]["data"]["target"]
    result = riseml("user", "update", "--all")
    assert (result.status, result.out) == (
        0,
        "~ user ida updated\n~ user paul updated\n",
    )
    for user in ("ida", "paul"):
        namespace = f"/api/v1/namespaces/riseml-{user}"
        data = api.objects[f"{namespace}/configmaps/riseml"]["data"]
        target = json.loads(data["target"])
        assert (target["gpu_resource"], target["limit_mem"]) == ("amd.com/gpu", False)
        assert api.objects[f"{namespace}/secrets/hub"]["data"] == {"a": "Yg=="}
    enabled = [line.split()[-1] for line in riseml("user", "list").out.splitlines()[1:]]
    assert enabled == ["False", "True"]
    assert not [name for name in api.objects if f"riseml-ida/secrets/{TOKEN}" in name]


def test_all_users_cannot_get_the_quota_of_one(api: FakeApi, riseml: Riseml) -> None:
    result = riseml("user", "update", "--all", "--gpus", "2")
    assert (result.status, result.out) == (2, "")
    assert "--all changes nothing but" in result.err
    result = riseml("user", "update")
    assert (result.status, "which user?" in result.err) == (2, True)


def test_a_limit_range_of_an_administrator_stays(
    api: FakeApi, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert riseml(*CREATE_PAUL).status == 0
    applied = api.apply

    def refuse(body: Any, namespace: Any = None, **options: Any) -> Any:
        if body["kind"] == "LimitRange" and not options.get("force", True):
            raise ConflictError("conflict with kubectl-edit")
        return applied(body, namespace, **options)

    monkeypatch.setattr(api, "apply", refuse)
    path = "/api/v1/namespaces/riseml-paul/limitranges/riseml"
    api.objects[path]["spec"] = {"limits": "mine"}
    assert riseml("user", "update", "--username", "paul").status == 0
    assert api.objects[path]["spec"] == {"limits": "mine"}
