"""Held jobs and usage on a cluster, as users with keys: the owner gets in and releases, another user does not."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.engines.access import Streams
from riseml.errors import NotAllowedError
from riseml.status import ExperimentStatus, SetStatus
from tests.cluster import residents
from tests.cluster.user_namespace import wait_until
from tests.contract import cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

CONFIG = f"""
project: held
train:
  image: {cluster.IMAGE}
  resources: {{cpus: 0.02, mem: 64}}
  hold_on_failure: 10m
  run: [echo made > made.txt, head -c 3000000 /dev/urandom > $OUTPUT_DIR/model, exit 3]
"""


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, ...]]:
    """Return the clients of two users with keys."""
    names = [f"hold-{who}-{os.getpid()}" for who in ("owner", "other")]
    made = []
    for name in names:
        home = tmp_path_factory.mktemp(name)
        made.append(Client(engine=cluster.engine(home, f"riseml-{name}")))
    yield tuple(made)
    for name in names:
        residents.leave(cluster.administrator(), f"riseml-{name}")


def experiment(client: Client, run: str) -> ExperimentStatus:
    status = client.status(run)
    assert isinstance(status, SetStatus)
    return status.experiments[0]


def test_only_the_owner_gets_into_a_held_job_and_releases_it(
    clients: tuple[Client, Client], tmp_path: Path
) -> None:
    owner, other = clients
    config = tmp_path / "riseml.yml"
    config.write_text(CONFIG)
    run = owner.train(config).id
    wait_until(lambda: bool(experiment(owner, run).held_until), 180, "a hold")
    full_id = f".{owner.whoami()}.{run}"
    for refused in (lambda: other.release(full_id), lambda: other.status(full_id)):
        with pytest.raises(NotAllowedError):
            refused()
    (cause,) = owner.why(run)
    assert cause.explanation == "a line of `run` ended with exit code 3"
    output = tmp_path / "output"
    with output.open("wb") as file:
        streams = Streams(0, file.fileno(), file.fileno())
        assert owner.exec(run, ["cat", "made.txt"], tty=False, streams=streams) == 0
    assert output.read_text() == "made\n"
    held = owner.usage().runs[0]
    assert held.cpu_hours > 0
    assert owner.release(run) == [f"{run}.train"]
    (ended,) = owner.wait(run)
    assert (ended.state, experiment(owner, run).exit_code) == ("FAILED", 3)
    kept = owner.ls(f"output://{owner.whoami()}/held/{run}/workdir")
    assert {entry.name for entry in kept} == {"made.txt"}


def test_users_see_their_own_usage(clients: tuple[Client, Client]) -> None:
    owner, other = clients
    report = owner.usage()
    (run,) = report.runs
    assert 3_000_000 <= run.outputs < 4_000_000
    (project,) = report.projects
    assert (project.project, project.runs) == ("held", 1)
    assert project.code > 0
    assert other.usage().runs == ()
