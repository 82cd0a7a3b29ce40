"""Status of a run: names, messages, times and progress."""

import re

from riseml.engines.local.interpreter.events import (
    PodProgressed,
)
from riseml.engines.local.interpreter.node import fnv1a
from tests.unit import plans
from tests.unit.simulator import (
    BEGINNING,
    End,
    Simulator,
    by_name,
    simulate,
)
from tests.unit.workflows import dag, job, task, workflow

F = "Failed"


def test_names_and_ids_are_those_of_argo() -> None:
    done = simulate(plans.compiled(plans.grid({"lr": "0.1"}, {"lr": "(2)"})))
    node = by_name(done, "set.experiment(1:lr:2,riseml-sub:2).train")
    assert node["id"] == f"mnist-14-{fnv1a(node['name'])}"
    assert node["displayName"] == "train"
    assert node["templateScope"] == "local/mnist-14"
    assert (
        by_name(done, "set.experiment(1:lr:2,riseml-sub:2)")["displayName"]
        == "experiment(1:lr:2,riseml-sub:2)"
    )
    assert by_name(done, "")["id"] == "mnist-14"
    assert {node["type"] for node in done["status"]["nodes"].values()} == {
        "DAG",
        "TaskGroup",
        "Pod",
    }


def test_a_failed_job_has_a_message_and_times() -> None:
    done = simulate(
        workflow(dag("main", task("a")), job()),
        {".a": [End(3, after=2.5, pending=0.125)]},
    )
    node = by_name(done, "a")
    assert node["message"] == "main: Error (exit code 3)"
    assert node["outputs"] == {"exitCode": "3"}
    assert node["startedAt"] == "1970-01-12T13:46:40.000000Z"
    assert node["finishedAt"] == "1970-01-12T13:46:42.625000Z"
    assert done["status"]["phase"] == F
    assert done["status"]["progress"] == "0/1"
    assert {"type": "Completed", "status": "True"} in done["status"]["conditions"]


def test_progress_is_the_sum_over_all_pods() -> None:
    simulator = Simulator(workflow(dag("main", task("a"), task("b")), job()), {})
    simulator._act(simulator.run.start(BEGINNING))
    first = simulator.launched[0].node
    for progress in ("3/10", "nonsense", "1" * 30 + "/2"):
        simulator.apply(PodProgressed(first, progress))
    assert simulator.result()["status"]["progress"] == "3/11"
    while simulator.step():
        pass
    assert simulator.result()["status"]["progress"] == "11/11"
    assert by_name(simulator.result(), "a")["progress"] == "10/10"


def test_times_have_the_format_of_argo_with_microseconds() -> None:
    done = simulate(plans.compiled(plans.single()))
    time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    for node in [done["status"], *done["status"]["nodes"].values()]:
        assert time.fullmatch(node["startedAt"])
        assert time.fullmatch(node["finishedAt"])
