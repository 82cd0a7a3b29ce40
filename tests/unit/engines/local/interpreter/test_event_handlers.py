"""Events: unknown pods, shutdowns, time limits."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.events import (
    Annotated,
    LockGranted,
    PodEnded,
    PodPending,
    PodStarted,
    Shutdown,
    StartPod,
    Tick,
)
from riseml.engines.local.interpreter.run import WorkflowRun
from tests.unit import plans
from tests.unit.simulator import (
    BEGINNING,
    FOREVER,
    End,
    Simulator,
    by_name,
    phases,
    simulate,
)
from tests.unit.workflows import dag, gang, job, task, workflow

F = "Failed"
S = "Succeeded"
X = "Omitted"
K = "Skipped"
R = "Running"
P = "Pending"
DAEMON = job("ps", daemon=True)
TERMINATE = Shutdown("Terminate")


def shut_down(
    document: dict[str, Any], script: dict[str, Any], seconds: float
) -> dict[str, Any]:
    return simulate(document, script, [(seconds, TERMINATE)])


def test_events_about_unknown_or_ended_pods_change_nothing() -> None:
    run = WorkflowRun(workflow(dag("main", task("a")), job()), "uid")
    (launch,) = run.start(BEGINNING)
    assert isinstance(launch, StartPod)
    run.dirty.clear()
    for event in (
        PodPending("x"),
        PodStarted("x"),
        PodEnded("x", 0),
        LockGranted("x"),
        LockGranted(launch.node),
    ):
        assert run.apply(event, BEGINNING) == []
    assert not run.dirty
    run.apply(PodEnded(launch.node, 0), BEGINNING)
    before = run.status()
    run.apply(PodEnded(launch.node, 1), BEGINNING)
    assert run.status() == before
    assert run.ended


def test_a_shutdown_stops_all_pods_and_starts_none() -> None:
    experiments = [{"lr": str(i)} for i in range(5)]
    document = plans.compiled(plans.grid(*experiments, concurrency=2))
    killed = Annotated("riseml.io/killed", "*=2026-01-01T00:00:00Z")
    simulator = Simulator(
        document, {"train": [End(after=2)]}, [(3, killed), (3, TERMINATE)]
    )
    simulator.finish()
    done = simulator.result()
    experiment_phases = [
        phases(done)[f"set.experiment({i}:lr:{i},riseml-sub:{i + 1})"] for i in range(5)
    ]
    assert experiment_phases == [S, S, F, F, K]
    assert done["status"]["phase"] == F
    assert done["status"]["message"] == "Stopped with strategy 'Terminate'"
    node = by_name(done, "set.experiment(2:lr:2,riseml-sub:3).train")
    assert (node["phase"], node["message"], node["outputs"]["exitCode"]) == (
        F,
        "main: Error (exit code 143)",
        "143",
    )
    assert len(simulator.launched) == 4


def test_a_run_is_running_until_the_pods_of_a_shutdown_have_ended() -> None:
    simulator = Simulator(workflow(dag("main", task("a")), job()), {})
    simulator._act(simulator.run.start(simulator.now))
    simulator.step()
    simulator.apply(TERMINATE)
    document = simulator.result()
    assert phases(document) == {"": R, "a": R}
    assert (
        by_name(document, "a")["message"]
        == "workflow shutdown with strategy:  Terminate"
    )
    assert (document["status"]["phase"], document["status"]["finishedAt"]) == (R, None)
    assert not simulator.run.ended
    while simulator.step():
        pass
    assert simulator.run.ended


def test_a_job_that_saves_its_work_at_a_shutdown_has_succeeded() -> None:
    done = shut_down(
        workflow(dag("main", task("a")), job()), {".a": [End(after=9, stopped=0)]}, 1
    )
    assert phases(done) == {"": F, "a": S}


@pytest.mark.parametrize("strategy", ["Terminate", "Stop"])
def test_a_shutdown_fails_pending_pods_and_omits_tasks_that_have_not_started(
    strategy: str,
) -> None:
    inner = dag("inner", task("x"), task("y", depends="x"))
    main = dag(
        "main",
        task("a"),
        task("b", "inner", depends="a"),
        task("g", "inner", withItems=["p", "q", "r"]),
        parallelism=2,
    )
    simulator = Simulator(
        workflow(main, inner, job()),
        {"job": [End(pending=5)]},
        [(1, Shutdown(strategy))],
    )
    simulator.finish()
    done = simulator.result()
    assert phases(done) == {
        "": F, "a": F, "b": X,
        "g": F, "g(0:p)": F, "g(0:p).x": F, "g(0:p).y": X,
        "g(1:q)": F, "g(1:q).x": F, "g(1:q).y": X, "g(2:r)": F, "g(2:r).x": F, "g(2:r).y": X,
    }  # fmt: skip
    assert (
        by_name(done, "g(2:r).x")["message"]
        == f"workflow shutdown with strategy: {strategy}"
    )
    assert len(simulator.launched) == 2


def test_a_shutdown_fails_a_daemon() -> None:
    document = workflow(dag("main", task("ps", "ps"), task("a")), job(), DAEMON)
    done = shut_down(document, {".a": [End(after=9)]}, 2)
    assert phases(done) == {"": F, "ps": F, "a": F}
    assert by_name(done, "ps")["message"] == "main: Error (exit code 143)"


def test_a_shutdown_makes_a_gang_delete_no_pods() -> None:
    simulator = Simulator(
        gang("a", "b"), {".a": [FOREVER], ".b": [FOREVER]}, [(1, TERMINATE)]
    )
    simulator.finish()
    assert {stop.reason for stop in simulator.stops} == {"shutdown"}
    assert phases(simulator.result()) | {"": F, "a": F, "b": F} == phases(
        simulator.result()
    )
    assert phases(simulator.result())["a.hooks.end"] == F


def test_a_shutdown_that_was_only_saved_takes_place_after_a_restart() -> None:
    simulator = Simulator(workflow(dag("main", task("a")), job()), {".a": [FOREVER]})
    simulator._act(simulator.run.start(simulator.now))
    simulator.step()
    simulator.document["spec"]["shutdown"] = "Terminate"
    simulator.restart()
    while simulator.step():
        pass
    assert phases(simulator.result()) == {"": F, "a": F}
    assert (
        simulator.result()["status"]["message"] == "Stopped with strategy 'Terminate'"
    )


def test_a_shutdown_after_the_end_changes_nothing() -> None:
    simulator = Simulator(workflow(dag("main", task("a")), job()), {".a": [1]})
    simulator.finish()
    before = simulator.result()["status"]
    simulator.apply(TERMINATE)
    assert simulator.result()["status"] == before


def test_a_pod_that_ends_by_itself_during_a_shutdown_keeps_its_exit_code() -> None:
    done = shut_down(
        workflow(dag("main", task("a")), job()), {".a": [End(7, after=1.76)]}, 2
    )
    assert by_name(done, "a")["outputs"]["exitCode"] == "7"


def test_a_pod_that_is_pending_too_long_fails() -> None:
    run = WorkflowRun(workflow(dag("main", task("a")), job(timeout="60")), "u")
    (launch,) = run.start(BEGINNING)
    assert isinstance(launch, StartPod)
    assert run.next_tick() == BEGINNING + 60
    run.apply(PodPending(launch.node, "Unschedulable: no room"), BEGINNING + 1)
    assert run.node_status(launch.node)["message"] == "Unschedulable: no room"
    run.apply(Tick(), BEGINNING + 59)
    assert run.node_status(launch.node)["phase"] == P
    (stop,) = run.apply(Tick(), BEGINNING + 60)
    assert stop.node == launch.node
    assert (
        run.node_status(launch.node)["phase"],
        run.node_status(launch.node)["message"],
    ) == (
        F,
        "timeout",
    )
    assert run.next_tick() is None
    assert not run.ended
    run.apply(PodEnded(launch.node, None), BEGINNING + 61)
    assert run.ended
    assert run.node_status(launch.node)["message"] == "timeout"
