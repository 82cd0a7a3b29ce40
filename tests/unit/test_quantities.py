"""Amounts of Kubernetes, read and written."""

from decimal import Decimal

import pytest

from riseml.quantities import (
    amount_of,
    bytes_of,
    cores_of,
    cores_text,
    memory_text,
    noun_of,
    with_noun,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512", 512),
        ("1k", 1000),
        ("1.5Ki", 1536),
        (".5M", 500_000),
        ("4Gi", 4 * 2**30),
        ("2P", 2 * 10**15),
        ("0.0005k", 1),
        ("1.0001k", 1001),
    ],
)
def test_bytes_are_rounded_up(text: str, amount: int) -> None:
    assert bytes_of(text) == amount


@pytest.mark.parametrize(
    ("text", "cores"), [("2", "2"), ("500m", "0.5"), ("0.1", "0.1"), ("5m", "0.005")]
)
def test_cores(text: str, cores: str) -> None:
    assert cores_of(text) == Decimal(cores)


@pytest.mark.parametrize("text", ["", "x", "1K", "1 GB", "-1", "1e3", "m"])
def test_other_texts_are_not_amounts(text: str) -> None:
    assert amount_of(text) is None


@pytest.mark.parametrize(
    ("cores", "text"), [("2", "2"), ("0.5", "500m"), ("0.0105", "11m"), ("1.0", "1")]
)
def test_thousandths_of_cores_are_rounded_up(cores: str, text: str) -> None:
    assert cores_text(Decimal(cores)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (512_000_000, "512M"), (2**30, "1Gi"), (1001, "1001"), (10**12, "1T")],
)
def test_memory_is_written_in_the_largest_exact_unit(amount: int, text: str) -> None:
    assert memory_text(amount) == text
    assert bytes_of(text) == amount


def test_resources_have_the_nouns_of_a_table_or_their_own_names() -> None:
    nouns = {"cpu": "cpus"}
    assert noun_of("cpu", nouns) == "cpus"
    assert noun_of("nvidia.com/gpu", nouns) == "gpus"
    assert noun_of("pods", nouns) == "pods"


def test_one_of_something_is_singular() -> None:
    assert with_noun("1", "cpus") == "1 cpu"
    assert with_noun("0.5", "cpus") == "0.5 cpus"
