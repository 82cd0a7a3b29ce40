"""Hooks: the jobs of a gang that stop each other, and other deletions of pods."""

from riseml.engines.local.interpreter.events import (
    DeletePods,
)
from tests.unit.simulator import (
    FOREVER,
    End,
    Simulator,
    by_name,
    phases,
    simulate,
)
from tests.unit.workflows import dag, deletion, gang, job, task, workflow

F = "Failed"
S = "Succeeded"
E = "Error"


def test_a_failed_job_stops_the_others_of_its_gang() -> None:
    document = gang("master", "worker-1", "worker-2")
    script = {
        ".master": [FOREVER],
        ".worker-1": [End(3, after=2)],
        ".worker-2": [FOREVER],
    }
    simulator = Simulator(document, script)
    simulator.finish()
    done = simulator.result()
    assert phases(done) == {
        "": E,
        "master": E, "worker-1": F, "worker-2": E,
        "master.hooks.end": S, "worker-1.hooks.end": S, "worker-2.hooks.end": S,
    }  # fmt: skip
    assert by_name(done, "master")["message"] == "pod deleted"
    assert by_name(done, "worker-1")["message"] == "main: Error (exit code 3)"
    assert {stop.reason for stop in simulator.stops} == {"deleted"}
    hook = by_name(done, "worker-1.hooks.end")
    assert (hook["type"], hook["nodeFlag"], hook["displayName"]) == (
        "Pod",
        {"hooked": True},
        "worker-1.hooks.end",
    )
    assert hook["id"] in by_name(done, "worker-1")["children"]


def test_a_gang_that_succeeds_runs_no_hooks() -> None:
    assert phases(simulate(gang("master", "worker-1"))) == {
        "": S,
        "master": S,
        "worker-1": S,
    }


def test_daemons_of_a_gang_are_stopped_and_stop_the_others() -> None:
    ps = job("ps", daemon=True, metadata={"labels": {"gang": "1"}})
    failed = simulate(gang("master", "ps", ps=ps), {".master": [End(1, after=2)]})
    assert phases(failed) | {"ps": S, "ps.hooks.end": S, "master": F} == phases(
        failed
    )  # as Argo has it
    assert by_name(failed, "ps")["message"] == "pod deleted"
    dead = simulate(
        gang("master", "ps", ps=ps), {".ps": [End(0, after=1)], ".master": [FOREVER]}
    )
    assert phases(dead) | {"ps": F, "master": E} == phases(dead)
    assert by_name(dead, "master")["message"] == "pod deleted"


def test_only_pods_with_the_labels_are_deleted() -> None:
    other = job("other", metadata={"labels": {"gang": "2"}})
    simulator = Simulator(
        gang("master", "other", other=other), {".master": [2], ".other": [End(after=9)]}
    )
    simulator.finish()
    assert phases(simulator.result())["other"] == S
    assert simulator.stops == []


def test_a_pending_pod_is_deleted_as_well() -> None:
    done = simulate(gang("a", "b"), {".a": [1], ".b": [End(pending=1_000)]})
    assert (phases(done)["b"], by_name(done, "b")["message"]) == (E, "pod deleted")


def test_the_shell_can_request_a_deletion() -> None:
    document = workflow(
        dag("main", task("a"), task("b")),
        job(metadata={"labels": {"x": "{{node.name}}"}}),
    )
    done = simulate(document, {"job": [End(after=5)]}, [(1, DeletePods("x=w.a"))])
    assert phases(done) == {"": E, "a": E, "b": S}


def test_a_deletion_can_be_a_task() -> None:
    end = deletion("end", "gang=1", inputs=[])
    tasks = [task("a"), task("e", "end", depends="b"), task("b")]
    done = simulate(
        workflow(dag("main", *tasks), job(metadata={"labels": {"gang": "1"}}), end),
        {".a": [FOREVER]},
    )
    assert phases(done) == {"": E, "a": E, "b": S, "e": S}


def test_a_hook_that_cannot_be_evaluated_makes_its_task_an_error() -> None:
    document = gang("a", "b")
    hook = document["spec"]["templates"][0]["dag"]["tasks"][0]["hooks"]["end"]
    hook["expression"] = "asInt(tasks['a'].status) == 1"
    done = simulate(document)
    assert phases(done)["a"] == E
    assert "asInt cannot take 'Running'" in by_name(done, "a")["message"]
    assert phases(done)[""] == E
