"""The section `gpu` of the values: shares and types of GPUs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from riseml.cluster import overview, values
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.cluster.user_namespace import UserNamespace
from riseml.errors import InvalidInputError, NotAllowedError
from riseml.plan import Target

GPUS = """
gpu:
  fractions:
    0.25: {nvidia.com/mig-1g.10gb: 1}
    1/3: {nvidia.com/mig-2g.20gb: 1}
    any: {nvidia.com/gpu: 1, nvidia.com/gpucores: "{percent}"}
  types:
    fast: [NVIDIA-H100-80GB-HBM3, NVIDIA-H200]
    4090: [2024]
"""


def test_shares_are_mapped_to_resources_by_the_number_of_parts() -> None:
    target = values.parse(GPUS).target()
    assert target["gpu_fractions"] == {
        "4": {"nvidia.com/mig-1g.10gb": "1"},
        "3": {"nvidia.com/mig-2g.20gb": "1"},
        "any": {"nvidia.com/gpu": "1", "nvidia.com/gpucores": "{percent}"},
    }
    assert target["gpu_types"] == {
        "fast": ["NVIDIA-H100-80GB-HBM3", "NVIDIA-H200"],
        "4090": ["2024"],
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "fractions: {0.3: {a/b: 1}}",
            "'gpu.fractions.0.3' must be a part of a GPU such as 0.25 or 1/4, or 'any'",
        ),
        ("fractions: {1/1: {a/b: 1}}", "'gpu.fractions.1/1' must be a part"),
        ("fractions: {any: 1}", "'gpu.fractions.any' must be a mapping of resources"),
        ("fractions: {any: {}}", "'gpu.fractions.any' must be a mapping of resources"),
        (
            "fractions: {any: {gpu: 1}}",
            "'gpu.fractions.any.gpu' must be an extended resource",
        ),
        (
            "fractions: {any: {a/b: half}}",
            "'gpu.fractions.any.a/b' must be a whole number of at least 1 or '{percent}', not 'half'",
        ),
        (
            "types: {fast: H100}",
            "'gpu.types.fast' must be a list of values of the label nvidia.com/gpu.product",
        ),
        ("types: {fast: ['NVIDIA H100']}", "'gpu.types.fast' must be a list"),
        ("fraction: {}", "did you mean 'gpu.fractions'?"),
    ],
)
def test_faults_are_reported(text: str, fault: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        values.parse(f"gpu: {{{text}}}")
    assert fault in str(error.value)


class NodesApi(Api):
    """Cluster with the labels of its nodes; None refuses to list them."""

    def __init__(self, *products: str | None) -> None:
        super().__init__(Connection("https://lab"))
        self.products = products

    def items(
        self, url_path: str, *, metadata: bool = False, **_query: Any
    ) -> Iterator[Any]:
        assert url_path == "/api/v1/nodes"
        for product in self.products:
            if product is None:
                raise NotAllowedError("nodes are forbidden")
            yield {"metadata": {"labels": {"nvidia.com/gpu.product": product}}}


def test_the_products_of_nodes_are_found() -> None:
    api = NodesApi("Tesla-T4", "NVIDIA-A100-SXM4-40GB", "Tesla-T4", "")
    assert overview.gpu_products(api) == ("NVIDIA-A100-SXM4-40GB", "Tesla-T4")
    assert overview.gpu_products(NodesApi(None)) == ()


def test_a_users_target_has_the_shares_and_the_types() -> None:
    stored = {**values.parse(GPUS).target(), "gpu_products": ["Tesla-T4"]}
    namespace = UserNamespace(NodesApi(), "riseml-me")
    namespace._settings = {"data": {"target": json.dumps(stored)}}
    target = namespace.target
    assert isinstance(target, Target)
    assert target.gpu_products == ("Tesla-T4",)
    assert target.gpu_fractions["4"] == {"nvidia.com/mig-1g.10gb": "1"}
    assert target.gpu_types["fast"] == ["NVIDIA-H100-80GB-HBM3", "NVIDIA-H200"]


def test_the_cluster_stores_the_section_as_it_was_given() -> None:
    given = values.parse(GPUS)
    assert values.parse(given.text()) == given
