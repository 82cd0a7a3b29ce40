"""`queue` in the values of an installation."""

import re

import pytest

from riseml.cluster import namespace_objects
from riseml.cluster.values import parse
from riseml.errors import InvalidInputError
from riseml.plan import Target

KUEUE = "queue: {kueue: {queue: research, clusterQueue: gpus}}"


def test_documents_know_the_queue_of_the_cluster() -> None:
    target = Target(**parse(KUEUE).target())
    assert target.queue == {"kueue": {"queue": "research", "clusterQueue": "gpus"}}
    assert "queue" not in parse("").target()


def test_users_read_their_place_and_have_a_local_queue() -> None:
    bodies = namespace_objects.managed(parse(KUEUE).offer())
    by_name = {(body["kind"], body["metadata"]["name"]): body for body in bodies}
    rules = by_name["Role", "riseml-user"]["rules"]
    (workloads,) = (rule for rule in rules if "workloads" in rule["resources"])
    assert workloads["verbs"] == ["get", "list", "watch"]
    assert by_name["LocalQueue", "research"]["spec"] == {"clusterQueue": "gpus"}
    # Jobs have no rights in the queue.
    assert "kueue" not in str(by_name["Role", "riseml-job"])


def test_without_a_queue_users_have_no_rights_in_one() -> None:
    assert "kueue" not in str(namespace_objects.managed(parse("").offer()))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{kueue: {}, volcano: {}}", "'queue' must have one of kueue, volcano"),
        ("{kueue: {name: x}}", "there is no key 'queue.kueue.name'"),
        ("{volcano: {queue: 3}}", "'queue.volcano.queue' must be text, not 3"),
        ("{kueue: {clusterQueue: gpus}}", "needs `queue`, the name of the LocalQueue"),
        ("{kueue: {queue: default}}", "must not be 'default': Kueue then queues all"),
        ("{kueue: research}", "'queue.kueue' must be a mapping"),
        ("{slurm: {}}", "there is no key 'queue.slurm'"),
    ],
)
def test_faults_say_what_to_write(text: str, fault: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(fault)):
        parse(f"queue: {text}")
