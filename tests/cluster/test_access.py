"""Rights of users in the running jobs of others, on the cluster of KUBECONFIG."""

from collections.abc import Iterator

import pytest

from riseml.client.client import Client
from riseml.cluster import pod_exec
from riseml.engines.argo.engine import ArgoEngine
from riseml.errors import NotAllowedError
from riseml.ids import Id
from tests.cluster import residents
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

OWNER, STRANGER = "riseml-access-owner", "riseml-access-stranger"
_PATIENCE = 120.0


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoEngine]:
    yield cluster.engine(tmp_path_factory.mktemp("stranger"), STRANGER)
    residents.leave(cluster.administrator(), STRANGER)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The id of a job that runs, of the user `access-owner`."""
    folder = tmp_path_factory.mktemp("project")
    engine = cluster.engine(tmp_path_factory.mktemp("owner"), OWNER)
    bench = Bench(engine, folder, cluster.IMAGE, _PATIENCE)
    number = bench.train("run:\n- export SET_BEFORE=1\n- echo ready; sleep 1000").number
    bench.until_logged(number, "ready")
    yield f"{number}.train"
    engine.stop(Id(number=number), force=True)
    residents.leave(cluster.administrator(), OWNER)


def test_another_user_is_refused(stranger: ArgoEngine, job: str) -> None:
    client = Client(engine=stranger)
    foreign = f".access-owner.{job}"
    for call in (
        lambda: client.exec(foreign, ["true"]),
        lambda: client.shell(foreign),
        lambda: client.port_forward(foreign, 8888),
    ):
        with pytest.raises(NotAllowedError) as caught:
            call()
        assert str(caught.value) == "you may not see access-owner's experiments"
        assert caught.value.advice == "Administrators can see all experiments."
    # Nor does the API server trust the client to ask for the status first.
    with pytest.raises(NotAllowedError):
        pod_exec.run(stranger.api, OWNER, "some", "main", ["true"])
