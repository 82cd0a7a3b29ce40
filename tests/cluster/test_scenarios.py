"""Outcomes of all scenarios on a real Argo: `KUBECONFIG=… pytest -m cluster -n 1 tests/cluster`."""

from collections.abc import Iterator

import pytest

kubernetes = pytest.importorskip("kubernetes")

from tests.cluster.record import outcome, play  # noqa: E402
from tests.cluster.scenarios import SCENARIOS, Outcome  # noqa: E402
from tests.cluster.user_namespace import WorkflowNamespace  # noqa: E402

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="session")
def namespace(worker_id: str) -> Iterator[WorkflowNamespace]:
    created = WorkflowNamespace(f"riseml-recordings-{worker_id}")
    yield created
    created.leave()


@pytest.mark.parametrize("name", SCENARIOS)
def test_argo_and_status_agree(name: str, namespace: WorkflowNamespace) -> None:
    number = 10 * (1 + list(SCENARIOS).index(name))
    wrong: list[tuple[str, Outcome, Outcome]] = []
    document, _ = play(
        namespace, SCENARIOS[name], number, lambda *fault: wrong.append(fault)
    )
    assert not wrong
    assert outcome(document) == SCENARIOS[name].outcome
