"""Queues of clusters: what they add to compiled documents."""

from dataclasses import replace
from typing import Any

import pytest

from riseml import queues
from riseml.compiler import compile_workflow
from riseml.frameworks import tensorflow
from riseml.plan import ExperimentSet, Job, Resources, Retries, Target
from tests.unit.plans import ORIGIN, Document, env, single, template

KUEUE = {"kueue": {"queue": "research"}}
"""The field of `Target` on a cluster with a default queue."""


def gang(**changes: Any) -> ExperimentSet:
    """Return the plan of a master, two workers and a parameter server."""
    options = tensorflow.Options(
        version="2.16.1",
        distributed=tensorflow.Distributed(
            worker=tensorflow.Role(3), ps=tensorflow.Role(1)
        ),
    )
    job = Job("train", ("true",), Resources())
    jobs = tensorflow.distribute(job, options, "python:3.12")
    return single(jobs=jobs, framework="tensorflow", **changes)


def compiled(cluster: dict[str, dict[str, str]], **changes: Any) -> Document:
    return compile_workflow(gang(**changes), ORIGIN, Target(queue=cluster))


def metadata(document: Document, name: str = "worker") -> Document:
    found: Document = template(document, name)["metadata"]
    return found


def test_the_pods_of_a_gang_are_one_group_in_kueue() -> None:
    document = compiled(KUEUE, priority="urgent")
    for name in ("master", "worker", "ps"):
        labels = metadata(document, name)["labels"]
        assert labels["kueue.x-k8s.io/queue-name"] == "research"
        assert labels["kueue.x-k8s.io/priority-class"] == "urgent"
        group = labels["kueue.x-k8s.io/pod-group-name"]
        assert group == "mnist-14-{{inputs.parameters.riseml-sub}}"
        assert metadata(document, name)["annotations"] == {
            "kueue.x-k8s.io/pod-group-total-count": "4",
            "kueue.x-k8s.io/retriable-in-group": "false",
        }
        assert "priorityClassName" not in template(document, name)


def test_jobs_that_start_together_neither_give_up_nor_give_back() -> None:
    document = compiled(KUEUE)
    for name in ("master", "worker", "ps"):
        job = template(document, name)
        assert "retryStrategy" not in job
        assert env(job["container"])["RISEML_GANG_TIMEOUT"] == ""
        assert "RISEML_STAYS" not in env(job["container"])


def test_a_retry_is_a_new_group_in_kueue() -> None:
    document = compiled(KUEUE, retries=Retries(2))
    group = metadata(document)["labels"]["kueue.x-k8s.io/pod-group-name"]
    assert group.endswith(
        "-{{inputs.parameters.riseml-sub}}-{{inputs.parameters.riseml-attempt}}"
    )


def test_riseml_yml_names_another_queue() -> None:
    labels = metadata(compiled(KUEUE, queue="night"))["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "night"


def test_nothing_but_jobs_holds_quota() -> None:
    document = compiled(KUEUE, tensorboard=True)
    for name in ("tensorboard", "end-peers"):
        (found,) = (t for t in document["spec"]["templates"] if t["name"] == name)
        assert "kueue" not in str(found.get("metadata", {}))


def test_without_a_queue_a_gang_takes_care_of_itself() -> None:
    document = compiled({"kueue": {}})
    assert "kueue" not in str(metadata(document))
    assert env(template(document, "worker")["container"])["RISEML_GANG_TIMEOUT"]


def test_a_priority_is_one_of_kubernetes_without_a_queue() -> None:
    document = compiled({}, priority="urgent")
    assert template(document, "worker")["priorityClassName"] == "urgent"
    assert "priorityClassName" not in template(document, "end-peers")


def test_one_machine_has_no_queues_and_priorities() -> None:
    plan = gang(queue="night", priority="urgent")
    document = compile_workflow(plan, replace(ORIGIN, runner="process"), Target())
    assert "priorityClassName" not in template(document, "worker")


def test_volcano_schedules_the_pods_of_a_pod_group_together() -> None:
    document = compiled({"volcano": {}}, queue="night", priority="urgent")
    worker = template(document, "worker")
    assert worker["schedulerName"] == "volcano"
    assert worker["priorityClassName"] == "urgent"
    group = "mnist-14-{{inputs.parameters.riseml-sub}}"
    assert worker["metadata"]["annotations"] == {
        "scheduling.k8s.io/group-name": group,
        "scheduling.volcano.sh/group-name": group,
        "scheduling.volcano.sh/queue-name": "night",
    }


def test_coscheduling_finds_the_pods_of_a_group_by_a_label() -> None:
    document = compiled({"coscheduling": {"scheduler": "gangs"}})
    worker = template(document, "worker")
    assert worker["schedulerName"] == "gangs"
    label = worker["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"]
    assert label == "mnist-14-{{inputs.parameters.riseml-sub}}"


@pytest.mark.parametrize("kind", ["volcano", "coscheduling"])
def test_all_attempts_of_a_gang_share_a_pod_group(kind: str) -> None:
    document = compiled({kind: {}}, retries=Retries(2))
    assert "riseml-attempt" not in str(metadata(document).get("annotations"))
    pod_group = metadata(document)["labels"].get("scheduling.x-k8s.io/pod-group", "")
    assert "riseml-attempt" not in pod_group


@pytest.mark.parametrize("kind", queues.KINDS)
def test_each_kind_is_a_module_with_the_same_functions(kind: str) -> None:
    queue, settings = queues.find({kind: {}})
    request = queues.Request("night", "urgent", "mnist-14-1", 3)
    assert queue.is_used(settings, request)
    assert isinstance(queue.pod(settings, request), queues.PodFields)
    assert all(rule["verbs"] for rule in queue.rights())
    assert list(queue.user_objects(settings)) == []
    assert isinstance(queue.REPEATS_GROUPS, bool)


def test_the_pod_groups_say_how_many_pods_start_together() -> None:
    request = queues.Request("night", "urgent", "mnist-14-1", 3)
    volcano, settings = queues.find({"volcano": {}})
    assert volcano.group(settings, request) == {
        "apiVersion": "scheduling.volcano.sh/v1beta1",
        "kind": "PodGroup",
        "metadata": {"name": "mnist-14-1"},
        "spec": {"minMember": 3, "queue": "night", "priorityClassName": "urgent"},
    }
    plug_in, settings = queues.find({"coscheduling": {}})
    assert plug_in.group(settings, request) == {
        "apiVersion": "scheduling.x-k8s.io/v1alpha1",
        "kind": "PodGroup",
        "metadata": {"name": "mnist-14-1"},
        "spec": {"minMember": 3},
    }


def test_kueue_gets_a_local_queue_in_each_users_namespace() -> None:
    settings = {"queue": "research", "clusterQueue": "gpus"}
    kueue, _ = queues.find({"kueue": settings})
    assert kueue.user_objects(settings) == [
        {
            "apiVersion": "kueue.x-k8s.io/v1beta2",
            "kind": "LocalQueue",
            "metadata": {"name": "research"},
            "spec": {"clusterQueue": "gpus"},
        }
    ]


def test_a_document_without_a_cluster_says_that_it_names_no_queue() -> None:
    assert queues.note("") == ""
    assert "does not name the queue night" in queues.note("night")
