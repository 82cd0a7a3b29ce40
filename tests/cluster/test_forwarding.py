"""Ports forwarded to a pod, and event files of a run, on the cluster of KUBECONFIG."""

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from riseml.cluster.api import path
from riseml.cluster.port_forward import Forwarding
from riseml.engines.argo import tensorboard
from riseml.engines.argo.engine import ArgoEngine
from tests.cluster.user_namespace import IMAGE, wait_until
from tests.contract import cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

NAME = "answers"
SERVE = "head -c 3000000 /dev/urandom > big; sha256sum big; exec python3 -m http.server 6006"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ArgoEngine:
    return cluster.engine(tmp_path_factory.mktemp("home"))


@pytest.fixture
def pod(engine: ArgoEngine) -> Iterator[str]:
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-c", f"mkdir /tmp/s; cd /tmp/s; {SERVE}"],
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }
    pods = path("pods", engine.namespace)
    engine.api.delete(f"{pods}/{NAME}")
    wait_until(
        lambda: engine.api.find(f"{pods}/{NAME}") is None, 60, "the former pod's end"
    )
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME}, "spec": spec}
    cluster.administrator().create(pods, body)
    wait_until(
        lambda: engine.api.get(f"{pods}/{NAME}")["status"].get("phase") == "Running",
        60,
        "the pod",
    )
    yield NAME
    engine.api.delete(f"{pods}/{NAME}")


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def test_connections_are_forwarded_until_the_pod_ends(
    engine: ArgoEngine, pod: str
) -> None:
    forwarding = Forwarding(engine.api, engine.namespace, pod, 6006)

    def begun() -> bool:
        try:
            return bool(get(forwarding.url))
        except (OSError, urllib.error.URLError):
            return False

    wait_until(begun, 60, "an answer")
    with ThreadPoolExecutor(8) as pool:
        digests = {
            hashlib.sha256(body).hexdigest()
            for body in pool.map(get, [f"{forwarding.url}/big"] * 16)
        }
    log: bytes = engine.api.open(f"{path('pods', engine.namespace, pod)}/log").read()
    logged = log.decode()
    assert digests == {logged.split()[0]}
    assert forwarding.is_open()
    engine.api.delete(path("pods", engine.namespace, pod))
    forwarding.wait()
    assert not forwarding.is_open()
    forwarding.close()
    with pytest.raises(OSError, match="refused"):
        get(forwarding.url)


def test_new_events_of_a_run_are_copied(engine: ArgoEngine, tmp_path: Path) -> None:
    engine.store.script(
        'mkdir -p "/output/contract/boards/1/2"; printf one > "/output/contract/boards/1/2/a.tfevents"'
    )
    assert tensorboard.fetch(engine.store, "contract/boards/1", tmp_path)
    engine.store.script("printf ' two' >> /output/contract/boards/1/2/a.tfevents")
    assert tensorboard.fetch(engine.store, "contract/boards/1", tmp_path)
    assert (tmp_path / "2/a.tfevents").read_bytes() == b"one two"
