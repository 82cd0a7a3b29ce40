"""Runs that are submitted through a real Argo Server with a path: by tokens of the cluster, and by single sign-on."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from riseml import Client, State
from riseml.cluster import access
from riseml.cluster import argo_server as argo
from riseml.cluster.api import Api
from riseml.cluster.users import User, Users
from riseml.errors import NotAllowedError, UnreachableError
from riseml.status import SetStatus
from tests.cluster import argo_server, residents
from tests.cluster.user_namespace import IMAGE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

NAME = f"argo-server-{os.getpid()}"
CONFIG = f"""
project: served
train:
  image: {IMAGE}
  resources: {{cpus: 0.1, mem: 64M}}
  run: echo submitted
"""


@pytest.fixture(scope="module")
def user(api: Api) -> Iterator[User]:
    created = Users(api, residents.OFFER).create(NAME, "argo@example.com")
    yield created
    residents.leave(api, created.namespace)


def client(user: User, folder: Path, url: str) -> Client:
    """Return a client after `riseml user login --argo-server URL`."""
    folder.mkdir()
    entry = access.verified(access.by_key(user.key), argo=url)
    access.remember(folder / "config", entry)
    (folder / "riseml.yml").write_text(CONFIG)
    return Client(folder)


def finished(client: Client, folder: Path) -> SetStatus:
    run = client.train(folder / "riseml.yml")
    client.wait(run.id)
    status = client.status(run.id)
    assert isinstance(status, SetStatus)
    assert status.state is State.FINISHED
    return status


def test_a_server_with_a_path_accepts_keys(user: User, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    # The server reads the settings of Argo's controller there.
    options = ("--auth-mode", "client", "--namespace", "argo")
    with argo_server.serve(tmp_path, *options) as url:
        run = finished(client(user, folder, url), folder)
        assert run.submitter == f"system:serviceaccount:{user.namespace}:riseml-user"
        page = f"{url}/workflows/{user.namespace}/{run.name}"
        assert run.page == page
        with urlopen(page, timeout=30) as answer:
            # The page asks for its parts below the path.
            assert f'<base href="{argo_server.PATH}/">' in answer.read().decode()
        log = (tmp_path / "argo-server.log").read_text()
        assert f"path=/api/v1/workflows/{user.namespace}" in log
        # Without a proxy that removes the path, every request gets a page.
        wrong = client(user, tmp_path / "wrong", f"{url}/deeper")
        with pytest.raises(UnreachableError, match="is not the API of an Argo Server"):
            wrong.train(tmp_path / "wrong" / "riseml.yml")


def test_single_sign_on_names_the_person(
    api: Api, user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home"
    with argo_server.single_sign_on(tmp_path, api, f"{NAME}-login") as server:
        of_user = client(user, folder, server.url)
        with pytest.raises(NotAllowedError) as caught:
            of_user.train(folder / "riseml.yml")
        assert f"{server.url}/userinfo" in caught.value.advice
        token = server.log_in("ana@example.com")
        assert token.startswith("Bearer v2:")
        monkeypatch.setenv(argo.TOKEN, token)
        version = Request(
            f"{server.url}/api/v1/version", headers={"Authorization": token}
        )
        with urlopen(version, timeout=30) as answer:
            assert answer.status == 200
        run = finished(of_user, folder)
        assert run.submitter == "ana@example.com"
