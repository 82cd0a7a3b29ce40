"""Comparison with a real Argo: `KUBECONFIG=… pytest -m cluster -n 1 tests/cluster/test_comparison.py`.

Argo still does what the recordings in tests/fixtures/comparison say, with which
tests/local/test_comparison.py compares the local engine. Argo's own examples are taken
from the folder RISEML_TEST_ARGO_EXAMPLES, if it is set.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

kubernetes = pytest.importorskip("kubernetes")

from riseml.engines.local.interpreter.normalize import without_nulls  # noqa: E402
from riseml.engines.local.interpreter.validate import check  # noqa: E402
from riseml.errors import UnsupportedError  # noqa: E402
from tests.comparison import local  # noqa: E402
from tests.comparison.argo import ArgoNamespace  # noqa: E402
from tests.comparison.case import Case, Data  # noqa: E402
from tests.comparison.cases import FAMILIES  # noqa: E402
from tests.comparison.examples import ACCEPTED, COMPARED  # noqa: E402
from tests.comparison.expressions import TABLES  # noqa: E402
from tests.comparison.record import play, recorded  # noqa: E402
from tests.comparison.verdict import describe, verdict  # noqa: E402
from tests.local.conftest import Lab, lab  # noqa: E402, F401

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

EXAMPLES = os.environ.get("RISEML_TEST_ARGO_EXAMPLES", "")
# Argo waits without end for what these need; what it says meanwhile differs.
ENDLESS = {"claim-unknown", "command-empty"}


@pytest.fixture(scope="module")
def namespace() -> Iterator[ArgoNamespace]:
    created = ArgoNamespace(f"riseml-comparison-{os.getpid()}")
    yield created
    created.leave()


@pytest.mark.parametrize("family", [*FAMILIES, *TABLES])
def test_argo_does_what_was_recorded(namespace: ArgoNamespace, family: str) -> None:
    expected = recorded(family)
    actual = play(namespace, family, {})
    assert actual.keys() == expected.keys()
    for name in expected.keys() - ENDLESS:
        # The words of a refusal contain generated names.
        if "refused" not in expected[name]:
            assert actual[name] == expected[name], name
        assert ("refused" in actual[name]) == ("refused" in expected[name]), name


@pytest.mark.skipif(not EXAMPLES, reason="RISEML_TEST_ARGO_EXAMPLES is not set")
def test_examples_of_argo_are_accepted_by_name() -> None:
    accepted = set()
    for name, document in examples():
        with suppress(UnsupportedError):
            check(without_nulls(document))
            accepted.add(name)
    assert accepted == ACCEPTED


@pytest.mark.skipif(not EXAMPLES, reason="RISEML_TEST_ARGO_EXAMPLES is not set")
def test_examples_of_argo_end_as_on_argo(
    namespace: ArgoNamespace,
    lab: Lab,  # noqa: F811
) -> None:
    cases = {}
    for name, document in examples():
        if name in COMPARED:
            key = name.removesuffix(".yaml").lower()
            cases[key] = Case(with_local_image(document, key))
    assert len(cases) == len(COMPARED)
    argo = namespace.run(cases)
    here = local.run(lab.engine, cases)
    for name in cases:
        difference = describe(argo[name], here[name])
        assert verdict(argo[name], here[name]) == "same", f"{name}: {difference}"


def examples() -> Iterator[tuple[str, Data]]:
    for path in sorted(Path(EXAMPLES).glob("**/*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if isinstance(document, dict) and document.get("kind") == "Workflow":
                document["metadata"].setdefault("name", "example")
                yield path.name, document


def with_local_image(document: Data, name: str) -> dict[str, Any]:
    """Return an example with the image of the test cluster."""
    document["metadata"] = {"name": name}
    for template in document["spec"]["templates"]:
        for container in (template.get("container"), *template.get("sidecars", ())):
            if container:
                container["image"] = "localhost/base:1"
    return document
