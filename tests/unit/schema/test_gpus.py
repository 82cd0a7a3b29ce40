"""GPUs in riseml.yml: whole cards, shares of a card, and properties of cards."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.plan import Resources
from riseml.resources import MOST_PARTS
from riseml.schema.gpus import parts_of, share_text
from riseml.schema.resources import RESOURCES
from riseml.schema.yaml_document import Document

EXPECTED = "a whole number of at least 0, or 1/n of a GPU such as 0.25"
EXAMPLES = "Write for example a100, h100 or rtx-4090."


def read(text: str) -> tuple[Resources | None, list[str]]:
    """Return the resources of a YAML text, and its faults."""
    document = Document("riseml.yml", text)
    node = document.root()
    assert node
    resources = RESOURCES.read(node, "resources", document)
    faults = []
    for fault in document.faults:
        faults.append(f"{fault.severity}: {fault.message} | {fault.advice}")
    return resources, faults


def faults_of(text: str) -> list[str]:
    _, faults = read(text)
    return faults


@pytest.mark.parametrize(
    ("text", "gpus", "parts"),
    [
        ("0", 0, 0),
        ("3", 3, 0),
        ("0.5", Decimal("0.5"), 2),
        ("0.25", Decimal("0.25"), 4),
        ("0.250", Decimal("0.250"), 4),
        (".2", Decimal("0.2"), 5),
        ("0.33", Decimal("0.33"), 3),
        ("0.333", Decimal("0.333"), 3),
        ("0.17", Decimal("0.17"), 6),
        ("0.01", Decimal("0.01"), 100),
    ],
)
def test_gpus_are_whole_or_one_of_equal_parts(
    text: str, gpus: int | Decimal, parts: int
) -> None:
    resources, faults = read(f"{{gpus: {text}}}")
    assert not faults
    assert resources is not None
    assert resources == Resources(gpus=gpus)
    assert str(resources.gpus) == str(gpus)
    assert resources.gpu_parts == parts
    assert resources.visible_gpus == (gpus if parts == 0 else 1)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0.3", "Write 0.25 or 0.33: a part of a GPU is 1/n, so that n jobs share it."),
        ("0.4", "Write 0.33 or 0.5: a part of a GPU is 1/n, so that n jobs share it."),
        ("0.75", "Write 0.5 or 1: a part of a GPU is 1/n, so that n jobs share it."),
        (
            "1.5",
            "Write 1 or 2: a job gets whole GPUs, or 1/n of a single one.",
        ),
        ("2.0", "Write 2."),
        ("0.001", "Write 0.01: a part of a GPU is 1/n, so that n jobs share it."),
        ("-0.5", ""),
    ],
)
def test_the_nearest_allowed_numbers_are_named(text: str, advice: str) -> None:
    assert faults_of(f"{{gpus: {text}}}") == [
        f"error: resources.gpus must be {EXPECTED}, not the number {text} | {advice}"
    ]


@given(st.integers(2, MOST_PARTS))
def test_each_part_has_a_text_that_is_read_as_it(parts: int) -> None:
    share = Decimal(share_text(parts))
    assert parts_of(share) == parts
    assert Resources(gpus=share).gpu_parts == parts


@given(st.integers(2, MOST_PARTS), st.integers(2, 6))
def test_a_rounded_part_is_read_as_the_only_one_that_it_can_be(
    parts: int, digits: int
) -> None:
    share = round(Decimal(1) / parts, digits)
    most = Decimal(5).scaleb(-digits - 1)
    same = [n for n in range(1, 500) if abs(Decimal(1) / n - share) <= most]
    exact = [n for n in same if share * n == 1]
    expected = exact or same
    is_share = Decimal("0.01") <= share <= Decimal("0.5") and len(expected) == 1
    assert parts_of(share) == (expected[0] if is_share else 0)


def test_the_memory_and_the_type_of_cards_are_read() -> None:
    resources, faults = read("{gpus: 2, gpu_mem: 24G, gpu-type: a100}")
    assert not faults
    assert resources == Resources(gpus=2, gpu_mem=24_000_000_000, gpu_type="a100")
    resources, _ = read("{gpus: 1, gpu_mem: 24000, gpu_type: 4090}")
    assert resources == Resources(gpus=1, gpu_mem=24_000_000_000, gpu_type="4090")


def test_the_properties_of_cards_need_gpus() -> None:
    assert faults_of("{gpu_mem: 24G, gpu_type: a100}") == [
        "warning: 'gpu_mem' has no effect without gpus | ",
        "warning: 'gpu_type' has no effect without gpus | ",
    ]


def test_a_type_is_a_name() -> None:
    assert faults_of("{gpus: 1, gpu_type: 'a100,h100'}") == [
        f"error: resources.gpu_type must be the name of a GPU, not 'a100,h100' | {EXAMPLES}"
    ]
