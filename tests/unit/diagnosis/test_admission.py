"""Explanation of pods that a cluster did not admit, with the messages of a real cluster."""

from riseml.status import State
from tests.unit.diagnosis.test_diagnosis import job, why

NO_PRIORITY = (
    "task 'net-14.set.experiment(0:riseml-sub:1).train' errored:"
    ' pods "net-14-train-7" is forbidden: no PriorityClass with name urgent was found'
)


def test_missing_priority_class_is_named() -> None:
    cause = why(job("PLATFORM", NO_PRIORITY, state=State.FAILED))
    assert cause.kind == "PRIORITY"
    assert (
        cause.explanation
        == "the cluster has no PriorityClass 'urgent', which `priority` in riseml.yml names"
    )
    assert cause.evidence == (NO_PRIORITY,)
    assert "remove `priority`" in cause.fix[0]
