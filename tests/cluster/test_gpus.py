"""Shares and types of GPUs on the cluster of KUBECONFIG, whose node has no GPU: it only says that it has some."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.cluster import keys, values
from riseml.cluster.api import path
from riseml.cluster.users import Users
from riseml.engines.argo.engine import ArgoEngine
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.status import State
from tests.cluster import residents
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("gpus"),
]

USER = "gpu-test"
NAMESPACE = f"riseml-{USER}"
SHARED = "nvidia.com/gpu.shared"
PRODUCT = "nvidia.com/gpu.product"
MEMORY = "nvidia.com/gpu.memory"
GPU_VALUES = values.parse(f"gpu: {{fractions: {{0.25: {{{SHARED}: 1}}}}}}").target()


@pytest.fixture
def node() -> Iterator[str]:
    """Let a node seem to have a T4 that four jobs share."""
    api = cluster.administrator()
    (first, *_) = api.items(path("nodes"))
    name = first["metadata"]["name"]
    describe(name, {PRODUCT: "Tesla-T4", MEMORY: "15360"}, "4")
    yield name
    describe(name, {PRODUCT: None, MEMORY: None}, None)


def describe(node: str, labels: dict[str, str | None], shares: str | None) -> None:
    """Set labels of a node, and how many shares of a GPU it has."""
    api = cluster.administrator()
    url = path("nodes", None, node)
    api.patch(url, {"metadata": {"labels": labels}})
    amounts = {SHARED: shares}
    status = {"capacity": amounts, "allocatable": amounts}
    api.patch(f"{url}/status", {"status": status})


@pytest.fixture
def bench(node: str, tmp_path: Path) -> Iterator[Bench]:
    assert node
    api = cluster.administrator()
    residents.leave(api, NAMESPACE)
    residents.wait_until_gone(api, NAMESPACE)
    offer = replace(
        residents.OFFER, target={**GPU_VALUES, "git_image": "localhost/base:1"}
    )
    user = residents.make(Users(api, offer), USER)
    residents.wait_for_store(api, NAMESPACE)
    folder = tmp_path / "project"
    folder.mkdir()
    engine = ArgoEngine(keys.decode(user.key), tmp_path / "home")
    yield Bench(engine, folder, IMAGE, patience=90)
    residents.leave(api, NAMESPACE)


def states(bench: Bench, number: int) -> list[State]:
    run = bench.engine.read(Id(number=number))
    return [experiment.state for experiment in run.experiments]


def explanations(bench: Bench, number: int) -> str:
    causes = Client(engine=bench.engine).why(Id(number=number))
    return "; ".join(cause.explanation for cause in causes)


def resources(text: str) -> str:
    return f"resources: {{cpus: 0.02, mem: 64, {text}}}"


def test_jobs_get_the_shares_and_the_cards_that_nodes_have(
    bench: Bench, node: str
) -> None:
    # The node has four shares, so the fifth experiment waits.
    shared = bench.train(
        f"""
        {resources("gpus: 0.25, gpu_type: t4, gpu_mem: 15G")}
        parameters: {{n: [1, 2, 3, 4, 5]}}
        concurrency: 5
        run: sleep 20; echo {{{{n}}}}
        """
    ).number
    bench.until(
        lambda: states(bench, shared).count(State.RUNNING) == 4, "four experiments"
    )
    assert states(bench, shared).count(State.PENDING) == 1
    short = "1 node without enough free gpus"
    bench.until(lambda: short in explanations(bench, shared), short)
    assert bench.wait(shared).state is State.FINISHED

    # The cluster has no such share, and no such type.
    for text, message in (
        ("gpus: 0.5", "gpus: 0.5 requested, but no values of a cluster say"),
        (
            "gpus: 0.25, gpu_type: a100",
            "this cluster has no GPU 'a100'; it has Tesla-T4",
        ),
    ):
        with pytest.raises(InvalidInputError, match=message):
            bench.train(f"{resources(text)}\nrun: echo")

    # The node of this type has gone since the administrator listed the GPUs.
    describe(node, {PRODUCT: "Tesla-P4"}, "4")
    gone = bench.train(
        f"{resources('gpus: 0.25, gpu_type: t4')}\nrun: echo done"
    ).number
    wanted = "1 node without the GPU that it requests: t4"
    bench.until(lambda: wanted in explanations(bench, gone), wanted)
    describe(node, {PRODUCT: "Tesla-T4"}, "4")
    assert bench.wait(gone).state is State.FINISHED
