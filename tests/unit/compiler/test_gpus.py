"""GPUs in the compiled document: limits, annotations and requirements on nodes."""

from decimal import Decimal
from textwrap import dedent
from typing import Any

import pytest

from riseml import config, planner, status
from riseml.compiler import gpus
from riseml.engines.local.jobs import pod_resources
from riseml.errors import InvalidInputError
from riseml.plan import Resources, Target
from tests.unit import plans
from tests.unit.plans import single

HAMI = {
    "nvidia.com/gpu": "1",
    "nvidia.com/gpumem-percentage": "{percent}",
    "nvidia.com/gpucores": "{percent}",
}
SHARED = {"nvidia.com/gpu.shared": "1"}


def template(resources: Resources, target: Target | None = None) -> dict[str, Any]:
    """Return the compiled template of a job."""
    return plans.template(
        plans.compiled(single(job_resources=resources), target=target), "train"
    )


@pytest.mark.parametrize(
    ("share", "fractions", "limits"),
    [
        ("0.25", {"any": SHARED}, {"nvidia.com/gpu.shared": "1"}),
        (
            "0.25",
            {"any": SHARED, "4": {"nvidia.com/mig-1g.10gb": "1"}},
            {"nvidia.com/mig-1g.10gb": "1"},
        ),
        (
            "0.33",
            {"any": HAMI},
            {
                "nvidia.com/gpu": "1",
                "nvidia.com/gpumem-percentage": "33",
                "nvidia.com/gpucores": "33",
            },
        ),
    ],
)
def test_a_share_requests_what_the_values_map_it_to(
    share: str, fractions: dict[str, dict[str, str]], limits: dict[str, str]
) -> None:
    made = template(Resources(gpus=Decimal(share)), Target(gpu_fractions=fractions))
    assert made["container"]["resources"]["limits"] == {**limits, "memory": "512M"}
    assert made["metadata"]["annotations"]["riseml.io/gpus"] == share
    assert "affinity" not in made


def test_a_share_without_a_mapping_is_refused() -> None:
    for fractions in ({}, {"2": SHARED}):
        with pytest.raises(InvalidInputError) as caught:
            template(Resources(gpus=Decimal("0.25")), Target(gpu_fractions=fractions))
        assert str(caught.value) == (
            "gpus: 0.25 requested, but no values of a cluster say how 4 jobs share a GPU"
        )
        assert "`gpu.fractions` in values.yml" in (caught.value.advice or "")


def test_the_type_and_the_memory_are_required_of_the_node() -> None:
    products = ("NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-SXM4-80GB", "Tesla-T4")
    made = template(
        Resources(gpus=2, gpu_mem=24_000_000_000, gpu_type="a100"),
        Target(gpu_products=products),
    )
    (term,) = made["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {
            "key": "nvidia.com/gpu.product",
            "operator": "In",
            "values": ["NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-SXM4-80GB"],
        },
        # 24 GB are 22888.2 MiB, and 22889 MiB suffice.
        {"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["22888"]},
    ]
    preferred = made["affinity"]["nodeAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    # An affinity of its own replaces that of the Workflow, so it repeats it.
    assert preferred[0]["preference"]["matchExpressions"][0]["operator"] == "NotIn"
    assert made["metadata"]["annotations"] == {
        "riseml.io/gpu-mem": "24G",
        "riseml.io/gpu-type": "a100",
    }


def test_whole_gpus_of_any_kind_need_no_annotations() -> None:
    made = template(Resources(gpus=2))
    assert made["container"]["resources"]["limits"] == {
        "nvidia.com/gpu": "2",
        "memory": "512M",
    }
    assert "annotations" not in made["metadata"]
    assert "affinity" not in made


@pytest.mark.parametrize(
    ("target", "products"),
    [
        (Target(), ["a100"]),
        (
            Target(gpu_types={"A100": ["X", "Y"]}, gpu_products=("NVIDIA-A100",)),
            ["X", "Y"],
        ),
        (Target(gpu_products=("NVIDIA-A100", "NVIDIA-GH100")), ["NVIDIA-A100"]),
        (Target(gpu_products=("Tesla-T4",)), []),
    ],
)
def test_a_type_stands_for_products(target: Target, products: list[str]) -> None:
    assert gpus.products("a100", target) == products


def test_a_type_that_no_node_has_is_refused() -> None:
    plan = single(job_resources=Resources(gpus=1, gpu_type="a100"))
    target = Target(gpu_types={"fast": ["H"]}, gpu_products=("Tesla-T4",))
    with pytest.raises(InvalidInputError) as caught:
        gpus.check(plan, target)
    assert str(caught.value) == (
        "gpu_type: this cluster has no GPU 'a100'; it has fast, Tesla-T4"
    )


def test_a_type_cannot_be_chosen_if_none_is_known() -> None:
    plan = single(job_resources=Resources(gpus=1, gpu_type="a100"))
    with pytest.raises(InvalidInputError) as caught:
        gpus.check(plan, Target())
    assert str(caught.value) == (
        "gpu_type: the types of this cluster's GPUs are not known, so 'a100' cannot be chosen"
    )
    assert gpus.note(plan) == (
        "gpu_type: without a cluster's list of its GPUs, the label nvidia.com/gpu.product of a node"
        " must be a100 exactly"
    )
    assert gpus.note(single(job_resources=Resources(gpu_type="a100"))) == ""


@pytest.mark.parametrize(
    "request_",
    [
        Resources(gpus=Decimal("0.33"), gpu_mem=8_000_000_000, gpu_type="t4"),
        Resources(gpus=2, gpu_type="a100"),
        Resources(gpus=2),
        Resources(),
    ],
)
def test_both_engines_read_the_request_from_the_document(request_: Resources) -> None:
    target = Target(gpu_fractions={"any": HAMI})
    document = plans.compiled(single(job_resources=request_), target=target)
    assert pod_resources.resources(plans.template(document, "train")) == request_
    (job,) = status.read(document).experiments[0].jobs
    assert job.resources == request_


def test_workers_and_servers_can_have_shares() -> None:
    file = """
        project: shared
        train:
          framework: tensorflow
          tensorflow: {version: 2.17.0, distributed: {worker: 2, ps: {count: 1, resources: {gpus: 0.25}}}}
          resources: {gpus: 0.5}
          run: python3 train.py
        """
    plan = planner.plan(config.load_text(dedent(file)))
    requests = {job.type: str(job.resources.gpus) for job in plan.jobs}
    assert requests == {"master": "0.5", "worker": "0.5", "ps": "0.25"}
    assert plan.image == "tensorflow/tensorflow:2.17.0-gpu"


def test_files_of_2017_can_have_shares() -> None:
    file = "repository: ab\ntrain: {image: python, run: x, gpus: 0.5}\n"
    plan = planner.plan(config.load_text(file))
    assert plan.jobs[0].resources == Resources(gpus=Decimal("0.5"))
