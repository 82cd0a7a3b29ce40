"""Inputs of an environment, and building it ahead of time, on the local engine."""

from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.client.images import CHANGED, GONE, NEW, SAME
from riseml.errors import InvalidInputError, UnsupportedError
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab

FILE = """
project: lab
train:
  image: busybox
  install: [echo one, cat requirements.txt]
  resources: {cpus: 0.1, mem: 64, gpus: 0}
  run: test -f note
"""


@pytest.fixture
def client(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.chdir(lab.folder)
    lab.write({"riseml.yml": FILE, "requirements.txt": "", "other.txt": ""})
    return Client(engine=lab.engine)


def changes(client: Client) -> dict[str, str]:
    return {part.name: part.change for part in client.explain("riseml.yml").parts}


def test_explain_lists_what_changed_since_the_last_run(
    lab: Lab, client: Client
) -> None:
    first = client.explain("riseml.yml")
    assert (first.previous_run, first.image) == ("", None)
    assert {part.change for part in first.parts} == {NEW}
    assert [part.name for part in first.parts] == [
        "image",
        "place",
        "install 1",
        "install 2",
        "requirements.txt",
    ]

    number = client.build("riseml.yml").number
    run = client.wait(str(number))[0]
    assert run.state is State.FINISHED
    assert [job.id for job in lab.engine.read(Id(number=number)).jobs] == [
        f"{number}.build"
    ]
    then = client.explain("riseml.yml")
    assert then.image is not None
    assert then.image.endswith(then.key)
    assert (then.key, then.previous_run) == (first.key, str(number))
    assert {part.change for part in then.parts} == {SAME}

    lab.write({"requirements.txt": "# new\n", "other.txt": "no part of it"})
    Path("riseml.yml").write_text(FILE.replace("echo one", "echo two"), "utf-8")
    assert changes(client) == {
        "image": SAME,
        "install 1": CHANGED,
        "install 2": SAME,
        "requirements.txt": CHANGED,
        "place": SAME,
    }
    assert client.explain("riseml.yml").image is None
    Path("requirements.txt").unlink()
    assert changes(client)["requirements.txt"] == GONE


def test_a_file_without_install_steps_has_nothing_to_build(
    lab: Lab, client: Client
) -> None:
    Path("riseml.yml").write_text(
        FILE.replace("  install: [echo one, cat requirements.txt]\n", ""), "utf-8"
    )
    for verb in (client.explain, client.build):
        with pytest.raises(InvalidInputError, match="there is nothing to build"):
            verb("riseml.yml")


def test_a_run_after_a_build_builds_nothing(lab: Lab, client: Client) -> None:
    client.wait(str(client.build("riseml.yml").number))
    run = client.train("riseml.yml")
    client.wait(run.id)
    assert lab.engine.read(Id(number=int(run.id))).jobs == ()


def test_a_local_run_cannot_choose_a_node(client: Client) -> None:
    with pytest.raises(UnsupportedError, match="no nodes"):
        client.train("riseml.yml", node="gpu-3")
