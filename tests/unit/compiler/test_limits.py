"""Size limits of Argo: a Workflow that exceeds them is refused before it starts."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from riseml.compiler import limits
from riseml.errors import InvalidInputError, RiseMLError
from riseml.plan import Origin, Retries
from tests.unit.plans import ORIGIN, Document, compiled, grid, single

RECORDED = Path(__file__).parents[2] / "fixtures/argo/parallelism-2.json"


def _experiments(count: int, **changes: object) -> Document:
    return compiled(
        grid(
            *[{"batch": str(i % 100), "lr": f"1e-{i}"} for i in range(count)], **changes
        )
    )


@pytest.mark.parametrize("count", [1, 100, 1000])
def test_a_set_that_fits_needs_no_warning(count: int) -> None:
    assert limits.check(_experiments(count)) == ""


def test_half_of_the_limit_causes_a_warning() -> None:
    assert re.fullmatch(
        r"2500 experiments use \d\d% of what Argo can keep of one Workflow",
        limits.check(_experiments(2500)),
    )


def test_a_set_that_will_not_fit_is_refused_with_a_size_that_would() -> None:
    with pytest.raises(
        RiseMLError, match=r"^5000 experiments are too many for one Workflow"
    ) as caught:
        limits.check(_experiments(5000))
    fits = re.match(r"About (\d+) fit\.", caught.value.advice)
    assert fits
    assert limits.check(_experiments(int(fits[1])))


def test_attempts_need_space() -> None:
    assert limits.estimate(
        _experiments(100, retries=Retries(3))
    ) > 1.5 * limits.estimate(_experiments(100))


def test_the_estimated_status_is_as_long_as_a_real_one() -> None:
    document = json.loads(RECORDED.read_text("utf-8"))["document"]
    real = [
        node
        for node in document["status"]["nodes"].values()
        if "experiment(" in node["name"]
    ]
    (set_,) = [
        template
        for template in document["spec"]["templates"]
        if template["name"] == "set"
    ]
    templates = {
        template["name"]: template for template in document["spec"]["templates"]
    }
    estimated = [
        node
        for item in set_["dag"]["tasks"][0]["withItems"]
        for node in limits._nodes(item, document, templates)
    ]
    assert len(estimated) == len(real)
    assert 0.9 < len(json.dumps(estimated)) / len(json.dumps(real)) < 1.6


def test_a_document_without_a_name_is_estimated_as_well() -> None:
    document = compiled(grid({"lr": "1"}, {"lr": "2"}), Origin("me", None))
    assert limits.estimate(document) > len(json.dumps(document["spec"]))


def test_a_config_too_long_for_an_annotation_is_refused() -> None:
    with pytest.raises(RiseMLError, match="too long for a cluster"):
        limits.check(compiled(single(config="x" * 250_000)))


def test_a_command_too_long_for_any_machine_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="a command has 140000 bytes") as caught:
        compiled(single(("x" * 140_000,)), replace(ORIGIN, number=1))
    assert "script" in caught.value.advice


def test_a_manifest_may_need_offloading() -> None:
    document = compiled(grid(*({"lr": str(n)} for n in range(9_000))))
    assert "node status offloading" in limits.check_manifest(document)


def test_annotations_that_no_cluster_keeps_are_refused_with_a_length_that_fits() -> (
    None
):
    document = compiled(single(config="x" * 297_000))
    with pytest.raises(
        RiseMLError, match=r"it has 290 KiB, .* up to 256 KiB"
    ) as caught:
        limits.check_manifest(document)
    assert "offloading" not in f"{caught.value}{caught.value.advice}"
    fitting = re.match(r"Shorten it to (\d+) KiB: .* comments", caught.value.advice)
    assert fitting
    shorter = compiled(single(config="x" * (int(fitting[1]) << 10)))
    assert "is too long for a cluster" in limits.check_manifest(shorter)


def test_annotations_with_no_room_for_a_kill_cause_a_warning() -> None:
    warning = limits.check_manifest(compiled(single(config="x" * 250_000)))
    assert warning.startswith("riseml.yml is too long for a cluster: it has 244 KiB")


def test_a_manifest_larger_than_a_request_is_refused() -> None:
    document = compiled(grid(*({"text": "x" * 300 + str(n)} for n in range(6_000))))
    with pytest.raises(RiseMLError, match="but Kubernetes accepts") as caught:
        limits.check_manifest(document)
    assert "Split the set" in caught.value.advice
