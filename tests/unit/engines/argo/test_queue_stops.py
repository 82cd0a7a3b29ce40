"""Jobs that Kueue has stopped for others, from recordings of a real one."""

import json
from pathlib import Path
from typing import Any, cast

from riseml import status
from riseml.cluster.api import Api
from riseml.engines.argo import queue_stops
from riseml.errors import NotAllowedError
from riseml.status import SetStatus, State

FOLDER = Path(__file__).parents[3] / "fixtures" / "kueue"
WHY = "Preempted to accommodate a workload due to prioritization in the ClusterQueue"


class Cluster:
    """API server with the events of a recording."""

    def __init__(self, name: str) -> None:
        recording = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
        self.document = recording["document"]
        self.events: list[Any] | None = recording["events"]
        self.requests = 0

    def items(self, at: str, **query: str) -> list[Any]:
        self.requests += 1
        assert at.endswith("/events")
        assert query == {"fieldSelector": "reason=Stopped,involvedObject.kind=Pod"}
        if self.events is None:
            raise NotAllowedError("events are forbidden")
        return self.events

    def read(self) -> SetStatus:
        run = status.read(self.document)
        return queue_stops.explained(cast(Api, self), "me", [self.document], run)


def attempts(run: SetStatus, position: int = 0) -> list[tuple[State, str, str]]:
    job = run.experiments[0].jobs[position]
    return [(one.state, one.reason, one.message) for one in job.attempts]


def test_a_job_that_was_preempted_ran_again() -> None:
    assert attempts(Cluster("preempted-job").read()) == [
        (State.FAILED, "PREEMPTED", WHY),
        (State.FINISHED, "COMPLETED", ""),
    ]


def test_the_first_job_of_a_gang_says_that_it_was_preempted() -> None:
    run = Cluster("preempted-gang").read()
    by_reason = {reason for i in range(3) for _, reason, _ in attempts(run, i)[:1]}
    assert by_reason == {"PREEMPTED", "PEER"}
    assert run.experiments[0].state is State.FINISHED


def test_a_job_between_its_attempts_says_why_the_last_one_ended() -> None:
    cluster = Cluster("preempted-job")
    nodes = cluster.document["status"]["nodes"]
    cluster.document["status"]["phase"] = "Running"
    for name, node in list(nodes.items()):
        if node["displayName"].endswith("(1)"):
            del nodes[name]
        elif node["type"] != "Pod":
            node["phase"] = "Running"
    experiment = cluster.read().experiments[0]
    assert (experiment.state, experiment.reason) == (State.PENDING, "RETRY")
    assert experiment.jobs[0].message == f"attempt 1 failed: {WHY}"


def test_without_events_a_stopped_job_is_one_whose_pod_was_deleted() -> None:
    cluster = Cluster("preempted-job")
    cluster.events = None
    (_, reason, _), *_ = attempts(cluster.read())
    assert reason in {"DELETED", "ERROR"}


def test_no_events_are_read_where_no_queue_can_stop_anything() -> None:
    cluster = Cluster("preempted-job")
    for template in cluster.document["spec"]["templates"]:
        template.get("metadata", {}).get("labels", {}).pop(
            "kueue.x-k8s.io/queue-name", None
        )
    cluster.read()
    assert cluster.requests == 0
