"""Requests for GPUs in annotations, and types of cards."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml import gpu_request
from riseml.plan import Resources

requests = st.builds(
    Resources,
    gpus=st.sampled_from([1, 2, Decimal("0.5"), Decimal("0.33")]),
    gpu_mem=st.integers(0, 10**12),
    gpu_type=st.sampled_from(["", "a100", "RTX 4090"]),
)


@given(requests)
def test_annotations_complete_what_limits_say(request: Resources) -> None:
    limits = Resources(gpus=1 if request.gpu_parts else request.gpus)
    annotations = gpu_request.annotations(request)
    assert gpu_request.completed(limits, annotations) == request


def test_whole_cards_of_any_kind_need_no_annotations() -> None:
    assert gpu_request.annotations(Resources(gpus=2)) == {}
    assert gpu_request.annotations(Resources(gpu_mem=1, gpu_type="a100")) == {}


@pytest.mark.parametrize(
    ("name", "gpu_type", "is_of_type"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100", True),
        ("NVIDIA A100-SXM4-80GB", "A100", True),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb", True),
        ("NVIDIA A100-SXM4-40GB", "a100-80gb", False),
        ("NVIDIA-A100-SXM4-40GB-SHARED", "a100", True),
        ("NVIDIA GH200 480GB", "h100", False),
        ("NVIDIA H100 80GB HBM3", "h100", True),
        ("NVIDIA L40S", "l40", False),
        ("Tesla T4", "t4", True),
        ("NVIDIA GeForce RTX 4090", "rtx4090", True),
        ("NVIDIA GeForce RTX 4090", "rtx-4090", True),
        ("NVIDIA GeForce RTX 4090", "4090", True),
        ("NVIDIA GeForce RTX 4090", "geforce", True),
        ("AMD Instinct MI300X", "mi300x", True),
        ("", "a100", False),
        ("", "", True),
        ("NVIDIA T4", "", True),
    ],
)
def test_a_card_is_of_a_type_if_its_name_has_the_words(
    name: str, gpu_type: str, is_of_type: bool
) -> None:
    assert gpu_request.is_of_type(name, gpu_type) is is_of_type
