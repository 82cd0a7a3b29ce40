"""Lines of pods' logs have times: those of Kubernetes, later those of the copies' index."""

from pathlib import Path

import pytest

from riseml import Client
from riseml.cluster.api import path
from riseml.engines import Chunk
from riseml.engines.argo.engine import ArgoEngine
from tests.cluster.installed import NAMESPACE
from tests.cluster.user_namespace import wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]

CONFIG = """
project: timed
train:
  image: localhost/base:1
  resources: {cpus: 0.1, mem: 64M}
  retries: 1
  run:
    - for i in 1 2; do date +%s.%N; sleep 2; done
    - test $RISEML_ATTEMPT = 1
"""


def lines(client: Client, id: str) -> list[tuple[int, float, float]]:  # noqa: A002
    """Return of each line: the attempt, the time in it, and the time before it."""
    timed = []
    for event in client.logs(id, times=True):
        if not isinstance(event, Chunk):
            continue
        assert event.time
        for line in event.data.splitlines():
            if line[:1].isdigit():
                timed.append((event.attempt, float(line), event.time.timestamp()))
    return timed


def test_lines_have_times(client: Client, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "riseml.yml").write_text(CONFIG)
    run = client.train(project / "riseml.yml")
    client.wait(run.id)
    from_pods = lines(client, run.id)
    assert [attempt for attempt, _, _ in from_pods] == [0, 0, 1, 1]
    for _, printed, written in from_pods:
        assert printed <= written < printed + 1
    assert isinstance(client.engine, ArgoEngine)
    api = client.engine.workflows.api
    pods = path("pods", NAMESPACE)
    selector = "workflows.argoproj.io/workflow"
    for pod in list(api.items(pods, labelSelector=selector)):
        api.delete(f"{pods}/{pod['metadata']['name']}")
    wait_until(lambda: not list(api.items(pods, labelSelector=selector)), 60, "no pods")
    copies = lines(client, run.id)
    assert [line[:2] for line in copies] == [line[:2] for line in from_pods]
    for _, printed, written in copies:
        # The index has whole seconds, and an entry every five.
        assert printed - 1 < written < printed + 10
