"""Gangs that do not fit together, without a queue: one gives its resources back for the other."""

from collections.abc import Iterator
from typing import Any

import pytest

kubernetes = pytest.importorskip("kubernetes")

from riseml import status  # noqa: E402
from tests.cluster.scenarios import Document, Scenario, gang, one, template  # noqa: E402
from tests.cluster.user_namespace import WorkflowNamespace, wait_until  # noqa: E402

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

# A resource that only this test requests.
_SLOT = "riseml.io/test-slot"
_ROOM = 4


@pytest.fixture
def namespace() -> Iterator[WorkflowNamespace]:
    created = WorkflowNamespace("riseml-gangs")
    _set_room(created, str(_ROOM))
    yield created
    _set_room(created, None)
    created.leave()


def _set_room(namespace: WorkflowNamespace, amount: str | None) -> None:
    store = namespace.core.read_namespaced_pod("store", namespace.name)
    node = store.spec.node_name
    patch: dict[str, Any] = {"status": {"capacity": {_SLOT: amount}}}
    if amount is None:
        patch["status"]["allocatable"] = {_SLOT: None}
    namespace.core.patch_node_status(node, patch)

    def has_room() -> bool:
        allocatable = namespace.core.read_node(node).status.allocatable
        return bool(allocatable.get(_SLOT) == amount)

    wait_until(has_room, 60, "the node's slots")


def _take_slots(document: Document) -> None:
    for name in ("master", "worker", "ps"):
        container = template(document, name)["container"]
        container["resources"]["limits"] = {_SLOT: "1"}


def test_two_gangs_of_three_with_room_for_four_both_finish(
    namespace: WorkflowNamespace,
) -> None:
    line = 'case "$RISEML_JOB" in ps*) sleep 300;; esac; sleep 10'
    scenario = Scenario(
        one("FINISHED"),
        plan=gang(worker=2, run=(line,), gang_timeout=30),
        edit=_take_slots,
    )
    runs = []
    for number in (1, 2):
        runs.append(namespace.submit(scenario.document(number, namespace.revision)))

    def have_ended() -> bool:
        statuses = [run.document().get("status", {}) for run in runs]
        return all(status.get("finishedAt") for status in statuses)

    wait_until(have_ended, 400, "both gangs")
    for run in runs:
        (experiment,) = status.read(run.document()).experiments
        assert (experiment.state, experiment.reason) == ("FINISHED", "COMPLETED")
        assert [job.attempt for job in experiment.jobs] == [0, 0, 0]
