"""Credentials from kubeconfigs: tokens, files, certificates, and exec plug-ins."""

import base64
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from riseml.cluster import credentials
from riseml.cluster.credentials import Credentials
from riseml.cluster.kubeconfig import Context, Section
from riseml.errors import InvalidInputError, UnreachableError

VERSION = "client.authentication.k8s.io/v1"
CREDENTIAL = {"apiVersion": VERSION, "kind": "ExecCredential"}


def obtain(user: dict[str, Any], folder: Path, **cluster: Any) -> Credentials:
    context = Context(
        "lab",
        "",
        Section("lab", {"server": "https://lab:6443", **cluster}, folder),
        Section("ana", user, folder),
        "kubeconfig",
    )
    return credentials.obtain(context)


def plug_in(folder: Path, script: str, **fields: Any) -> dict[str, Any]:
    """Return a user whose exec plug-in is a Python script."""
    (folder / "plug_in.py").write_text(f"import json, os, sys\n{script}\n")
    arguments = [str(folder / "plug_in.py")]
    command = {"apiVersion": VERSION, "command": sys.executable, "args": arguments}
    return {"exec": {**command, **fields}}


def printing(status: dict[str, str]) -> str:
    return f"print({json.dumps(json.dumps({**CREDENTIAL, 'status': status}))})"


def test_a_token(tmp_path: Path) -> None:
    assert obtain({"token": "abc"}, tmp_path) == Credentials("abc")
    assert obtain({}, tmp_path) == Credentials()


def test_a_token_in_a_file_is_read_again(tmp_path: Path) -> None:
    user = {"tokenFile": "token", "token": "old"}
    (tmp_path / "token").write_text("first\n")
    assert obtain(user, tmp_path).token == "first"
    (tmp_path / "token").write_text("second\n")
    assert obtain(user, tmp_path).token == "second"
    (tmp_path / "token").unlink()
    with pytest.raises(InvalidInputError, match=r"tokenFile of ana: .*No such file"):
        obtain(user, tmp_path)


def test_files_of_a_certificate_are_used_where_they_are(tmp_path: Path) -> None:
    for name in ("a.crt", "a.key"):
        (tmp_path / name).write_text(name)
    user = {"client-certificate": "a.crt", "client-key": "a.key"}
    assert obtain(user, tmp_path).certificate == (
        str(tmp_path / "a.crt"),
        str(tmp_path / "a.key"),
    )


def test_a_certificate_in_the_kubeconfig_goes_into_private_files(
    tmp_path: Path,
) -> None:
    user = {
        "client-certificate-data": base64.b64encode(b"CERTIFICATE").decode(),
        "client-key-data": base64.b64encode(b"KEY").decode(),
    }
    files = obtain(user, tmp_path).certificate
    assert files is not None
    assert [Path(file).read_text() for file in files] == ["CERTIFICATE", "KEY"]
    for file in map(Path, files):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_plug_in_gives_a_token(tmp_path: Path) -> None:
    user = plug_in(tmp_path, printing({"token": "abc"}))
    assert obtain(user, tmp_path) == Credentials("abc")


def test_a_plug_in_gives_a_certificate(tmp_path: Path) -> None:
    status = {"clientCertificateData": "CERTIFICATE", "clientKeyData": "KEY"}
    files = obtain(plug_in(tmp_path, printing(status)), tmp_path).certificate
    assert files is not None
    assert [Path(file).read_text() for file in files] == ["CERTIFICATE", "KEY"]


def test_a_plug_in_gets_its_variables_and_the_cluster(tmp_path: Path) -> None:
    script = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "text = json.dumps([os.environ['REALM'], info])\n"
        f"print(json.dumps({{**{CREDENTIAL!r}, 'status': {{'token': text}}}}))"
    )
    extension = {
        "name": "client.authentication.k8s.io/exec",
        "extension": {"audience": "lab"},
    }
    user = plug_in(
        tmp_path,
        script,
        env=[{"name": "REALM", "value": "science"}],
        provideClusterInfo=True,
        interactiveMode="Never",
    )
    token = obtain(user, tmp_path, extensions=[extension]).token
    assert json.loads(token) == [
        "science",
        {
            **CREDENTIAL,
            "spec": {
                "interactive": False,
                "cluster": {
                    "server": "https://lab:6443",
                    "config": {"audience": "lab"},
                },
            },
        },
    ]


def test_a_command_with_a_slash_is_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "login"
    program.parent.mkdir()
    answer = json.dumps({**CREDENTIAL, "status": {"token": "near"}})
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    user = {"exec": {"apiVersion": VERSION, "command": "./bin/login"}}
    assert obtain(user, tmp_path).token == "near"


def test_the_error_of_a_plug_in_that_fails_is_its_own(tmp_path: Path) -> None:
    script = "sys.stderr.write('trying\\nthe session has expired\\n'); sys.exit(3)"
    with pytest.raises(UnreachableError) as caught:
        obtain(plug_in(tmp_path, script), tmp_path)
    assert str(caught.value) == (
        f"the kubeconfig's login command {sys.executable} ended with status 3: "
        "the session has expired"
    )
    assert "as you do for kubectl" in caught.value.advice


def test_a_plug_in_that_is_not_installed(tmp_path: Path) -> None:
    user = {
        "exec": {
            "apiVersion": VERSION,
            "command": "riseml-missing-login",
            "installHint": "Get it from https://intranet/login.\n",
        }
    }
    with pytest.raises(
        InvalidInputError, match=r"cannot run: .*No such file"
    ) as caught:
        obtain(user, tmp_path)
    assert caught.value.advice == "Get it from https://intranet/login."


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("print('logged in')", "printed no JSON"),
        ("print('[1]')", "printed no JSON"),
        ("print('{}')", "printed no JSON"),
        ("print('{\"status\": {}}')", f"printed no ExecCredential {VERSION}"),
        (printing({}), "printed no credentials"),
        (printing({"clientCertificateData": "C"}), "printed no credentials"),
    ],
)
def test_the_answer_of_a_plug_in_is_checked(
    script: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        obtain(plug_in(tmp_path, script), tmp_path)


def test_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="has a password"):
        obtain({"username": "ana", "password": "x"}, tmp_path)


def test_the_token_of_an_auth_provider(tmp_path: Path) -> None:
    """It is an unexpired JSON Web Token, which nobody needs to renew."""
    claims = base64.urlsafe_b64encode(b'{"sub":"ana"}').decode().rstrip("=")
    token = f"eyJhbGciOiJub25lIn0.{claims}.c2ln"
    provider = {"name": "oidc", "config": {"id-token": token}}
    file = tmp_path / "kubeconfig"
    content = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "ana"}}],
        "clusters": [{"name": "lab", "cluster": {"server": "https://lab:6443"}}],
        "users": [{"name": "ana", "user": {"auth-provider": provider}}],
    }
    file.write_text(json.dumps(content))
    user = Section("ana", {"auth-provider": provider}, tmp_path)
    context = Context("lab", "", Section(), user, str(file))
    assert credentials.obtain(context).token == token
    file.write_text("{}")
    with pytest.raises(UnreachableError, match="auth-provider of ana gave no token"):
        credentials.obtain(context)
