"""People without an API key, on the cluster of KUBECONFIG: a team shares a namespace."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml import Client, State
from riseml.cluster import access
from riseml.cluster.api import Api
from riseml.cluster.subjects import Grant
from riseml.cluster.users import User, Users
from riseml.engines import Chunk
from riseml.errors import NotAllowedError
from riseml.status import SetStatus
from tests.cluster import people, residents
from tests.cluster.people import Person
from tests.cluster.user_namespace import IMAGE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

NAME = f"people-{os.getpid()}"
CONFIG = f"""
project: shared
train:
  image: {IMAGE}
  resources: {{cpus: 0.1, mem: 64M}}
  run:
    - cat data.txt
    - echo made > $OUTPUT_DIR/model.txt
"""


@pytest.fixture(scope="module")
def team(api: Api) -> Iterator[User]:
    """The namespace of a group."""
    users = Users(api, residents.OFFER)
    grant = Grant((f"group:{NAME}",), has_key=False)
    user = users.create(NAME, "team@example.com", grant=grant)
    residents.wait_for_store(api, user.namespace)
    yield user
    residents.leave(api, user.namespace)


def client(person: Person, user: User, home: Path) -> Client:
    """Return a client after `riseml user login --kubeconfig FILE`."""
    home.mkdir()
    kubeconfig = str(person.kubeconfig(user.namespace))
    entry = access.verified(access.by_kubeconfig(kubeconfig, None, None))
    access.remember(home / "config", entry)
    return Client(home)


def train(client: Client, folder: Path, text: str) -> str:
    folder.mkdir()
    (folder / "riseml.yml").write_text(CONFIG)
    (folder / "data.txt").write_text(text)
    return client.train(folder / "riseml.yml").id


def log(client: Client, id: str) -> str:  # noqa: A002
    events = client.logs(id)
    return "".join(event.data.decode() for event in events if isinstance(event, Chunk))


def test_a_team_shares_a_namespace_without_keys(
    api: Api, team: User, tmp_path: Path
) -> None:
    ana = people.person(tmp_path / "ana", f"ana-{NAME}@example.com", NAME)
    ben = people.person(tmp_path / "ben", f"ben-{NAME}@example.com", NAME)
    eve = people.person(tmp_path / "eve", f"eve-{NAME}@example.com", "others")
    with pytest.raises(NotAllowedError) as caught:
        client(eve, team, tmp_path / "home-of-eve")
    refusal = f"{eve.name} may not use the namespace {team.namespace}"
    assert str(caught.value) == refusal
    of_ana = client(ana, team, tmp_path / "home-of-ana")
    of_ben = client(ben, team, tmp_path / "home-of-ben")
    # A command logs in once, however many requests and pods it needs.
    calls = ana.calls()
    first = train(of_ana, tmp_path / "first", "code of ana\n")
    assert ana.calls() == calls + 1
    second = train(of_ben, tmp_path / "second", "code of ben\n")
    assert (first, second) == ("1", "2")
    assert [run.state for run in of_ana.wait(first)] == [State.FINISHED]
    assert [run.state for run in of_ben.wait(second)] == [State.FINISHED]
    # Each sees the other's runs, and who started them.
    submitters = {run.id: run.submitter for run in of_ben.runs(all=True)}
    assert submitters == {first: ana.name, second: ben.name}
    shared = of_ben.status(first)
    assert isinstance(shared, SetStatus)
    assert shared.submitter == ana.name
    assert "code of ana\n" in log(of_ben, first)
    assert (of_ana.whoami(), of_ana.login()) == (NAME, ana.name)
    # The end of the user is the end of all of them; what has run stays.
    users = Users(api, residents.OFFER)
    users.disable(NAME)
    with pytest.raises(NotAllowedError, match=f"{NAME} is disabled"):
        train(of_ana, tmp_path / "third", "too late\n")
    users.update(NAME)
    assert of_ana.status(second).id == second
