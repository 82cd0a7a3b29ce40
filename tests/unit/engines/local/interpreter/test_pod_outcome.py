"""Ends that somebody else decides: daemons, gangs, shutdowns, deadlines, locks."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.events import (
    Acquire,
    Annotated,
    DeletePods,
    LockGranted,
    PodEnded,
    PodPending,
    Release,
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
from tests.unit.workflows import dag, deletion, gang, job, task, workflow

F, S, K, E, R, P, X = (
    "Failed",
    "Succeeded",
    "Skipped",
    "Error",
    "Running",
    "Pending",
    "Omitted",
)
DAEMON = job("ps", daemon=True)
TERMINATE = Shutdown("Terminate")


# Daemons


def test_a_daemon_ends_with_its_dag() -> None:
    document = workflow(
        dag("main", task("ps", "ps"), task("a", depends="ps")), job(), DAEMON
    )
    simulator = Simulator(document, {})
    simulator.finish()
    done = simulator.result()
    assert phases(done) == {"": S, "ps": S, "a": S}
    assert [(stop.node, stop.reason) for stop in simulator.stops] == [
        (by_name(done, "ps")["id"], "daemon")
    ]
    assert (
        by_name(done, "ps")["finishedAt"] < by_name(done, "a")["finishedAt"]
    )  # when it became ready
    assert "daemoned" not in by_name(done, "ps")


def test_a_daemon_of_an_inner_dag_ends_with_that() -> None:
    inner = dag("inner", task("ps", "ps"), task("x"))
    document = workflow(
        dag("main", task("a", "inner"), task("b", depends="a")), inner, job(), DAEMON
    )
    simulator = Simulator(document, {"a.x": [1]})
    simulator.finish()
    assert phases(simulator.result()) == {"": F, "a": F, "a.ps": S, "a.x": F, "b": X}
    assert len(simulator.stops) == 1


@pytest.mark.parametrize(
    ("code", "message"), [(0, None), (1, "main: Error (exit code 1)")]
)
def test_a_daemon_that_ends_by_itself_has_failed(
    code: int, message: str | None
) -> None:
    document = workflow(dag("main", task("ps", "ps"), task("a")), job(), DAEMON)
    done = simulate(document, {".ps": [End(code, after=0.5)], ".a": [End(after=5)]})
    assert phases(done) == {"": F, "ps": F, "a": S}
    assert by_name(done, "ps").get("message") == message


def test_what_waits_for_a_daemon_starts_when_it_is_ready() -> None:
    tasks = [
        task("ps", "ps"),
        task("a", depends="ps.Daemoned"),
        task("b", depends="ps.Succeeded"),
        task("c", dependencies=["ps"]),
    ]
    done = simulate(
        workflow(dag("main", *tasks), job(), DAEMON),
        {".ps": [End(None, pending=3.0, after=None)]},
    )
    assert phases(done) == {"": S, "ps": S, "a": S, "b": X, "c": S}
    assert by_name(done, "a")["startedAt"].endswith(":43.000000Z")


def test_a_daemon_takes_a_place_for_ever() -> None:
    document = workflow(
        dag("main", task("a", "ps"), task("b"), parallelism=1), job(), DAEMON
    )
    assert phases(simulate(document)) == {"": R, "a": R}


def test_a_daemon_without_a_place_is_given_up() -> None:
    daemon = job("ps", daemon=True, pendingTimeout="10m")
    document = workflow(dag("main", task("ps", "ps"), task("a")), job(), daemon)
    simulator = Simulator(document, {".ps": [End(None, pending=10_000)]})
    simulator.finish()
    done = simulator.result()
    assert by_name(done, "ps") | {"phase": F, "message": "timeout"} == by_name(
        done, "ps"
    )
    assert phases(done)["a"] == S
    assert [stop.reason for stop in simulator.stops] == ["timeout"]


# Gangs: hooks that delete pods


def test_when_one_of_a_gang_fails_the_others_are_ended() -> None:
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


def test_a_gang_that_succeeds_fires_nothing() -> None:
    assert phases(simulate(gang("master", "worker-1"))) == {
        "": S,
        "master": S,
        "worker-1": S,
    }


def test_daemons_of_a_gang_are_ended_too_and_end_the_others() -> None:
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


def test_a_pod_that_has_not_begun_is_deleted_as_well() -> None:
    done = simulate(gang("a", "b"), {".a": [1], ".b": [End(pending=1_000)]})
    assert (phases(done)["b"], by_name(done, "b")["message"]) == (E, "pod deleted")


def test_a_deletion_may_come_from_outside() -> None:
    document = workflow(
        dag("main", task("a"), task("b")),
        job(metadata={"labels": {"x": "{{node.name}}"}}),
    )
    done = simulate(document, {"job": [End(after=5)]}, [(1, DeletePods("x=w.a"))])
    assert phases(done) == {"": E, "a": E, "b": S}


def test_a_deletion_may_be_a_task() -> None:
    end = deletion("end", "gang=1", inputs=[])
    tasks = [task("a"), task("e", "end", depends="b"), task("b")]
    done = simulate(
        workflow(dag("main", *tasks), job(metadata={"labels": {"gang": "1"}}), end),
        {".a": [FOREVER]},
    )
    assert phases(done) == {"": E, "a": E, "b": S, "e": S}


def test_a_hook_that_cannot_be_evaluated_is_an_error_of_its_task() -> None:
    document = gang("a", "b")
    hook = document["spec"]["templates"][0]["dag"]["tasks"][0]["hooks"]["end"]
    hook["expression"] = "asInt(tasks['a'].status) == 1"
    done = simulate(document)
    assert phases(done)["a"] == E
    assert "asInt cannot take 'Running'" in by_name(done, "a")["message"]
    assert phases(done)[""] == E


# Shutdown


def stopped(
    document: dict[str, Any], script: dict[str, Any], moment: float
) -> dict[str, Any]:
    return simulate(document, script, [(moment, TERMINATE)])


def test_a_shutdown_ends_what_runs_and_starts_nothing() -> None:
    cells = [{"lr": str(i)} for i in range(5)]
    document = plans.compiled(plans.grid(*cells, concurrency=2))
    killed = Annotated("riseml.io/killed", "*=2026-01-01T00:00:00Z")
    simulator = Simulator(
        document, {"train": [End(after=2)]}, [(3, killed), (3, TERMINATE)]
    )
    simulator.finish()
    done = simulator.result()
    found = [
        phases(done)[f"set.experiment({i}:lr:{i},riseml-sub:{i + 1})"] for i in range(5)
    ]
    assert found == [S, S, F, F, K]
    assert done["status"]["phase"] == F
    assert done["status"]["message"] == "Stopped with strategy 'Terminate'"
    node = by_name(done, "set.experiment(2:lr:2,riseml-sub:3).train")
    assert (node["phase"], node["message"], node["outputs"]["exitCode"]) == (
        F,
        "main: Error (exit code 143)",
        "143",
    )
    assert len(simulator.launched) == 4


def test_between_the_shutdown_and_the_end_of_pods() -> None:
    simulator = Simulator(workflow(dag("main", task("a")), job()), {})
    simulator._act(simulator.run.start(simulator.now))
    simulator.step()
    simulator.apply(TERMINATE)
    now = simulator.result()
    assert phases(now) == {"": R, "a": R}
    assert by_name(now, "a")["message"] == "workflow shutdown with strategy:  Terminate"
    assert (now["status"]["phase"], now["status"]["finishedAt"]) == (R, None)
    assert not simulator.run.ended
    while simulator.step():
        pass
    assert simulator.run.ended


def test_a_job_that_saves_its_work_and_succeeds_when_stopped() -> None:
    done = stopped(
        workflow(dag("main", task("a")), job()), {".a": [End(after=9, stopped=0)]}, 1
    )
    assert phases(done) == {"": F, "a": S}


@pytest.mark.parametrize("strategy", ["Terminate", "Stop"])
def test_what_had_not_begun(strategy: str) -> None:
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


def test_a_daemon_at_a_shutdown() -> None:
    document = workflow(dag("main", task("ps", "ps"), task("a")), job(), DAEMON)
    done = stopped(document, {".a": [End(after=9)]}, 2)
    assert phases(done) == {"": F, "ps": F, "a": F}
    assert by_name(done, "ps")["message"] == "main: Error (exit code 143)"


def test_a_gang_at_a_shutdown_deletes_nothing() -> None:
    simulator = Simulator(
        gang("a", "b"), {".a": [FOREVER], ".b": [FOREVER]}, [(1, TERMINATE)]
    )
    simulator.finish()
    assert {stop.reason for stop in simulator.stops} == {"shutdown"}
    assert phases(simulator.result()) | {"": F, "a": F, "b": F} == phases(
        simulator.result()
    )
    assert phases(simulator.result())["a.hooks.end"] == F


def test_a_shutdown_that_a_dead_controller_had_only_noted() -> None:
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


def test_a_pod_that_ended_while_it_was_being_shut_down() -> None:
    done = stopped(
        workflow(dag("main", task("a")), job()), {".a": [End(7, after=1.76)]}, 2
    )
    assert by_name(done, "a")["outputs"]["exitCode"] == "7"


# Deadlines


def test_a_deadline_is_the_shells_to_keep() -> None:
    run = WorkflowRun(
        workflow(
            dag("main", task("a"), task("b", "t")),
            job(activeDeadlineSeconds="90"),
            job("t", timeout="2m"),
        ),
        "u",
    )
    deadlines = [
        action.deadline
        for action in run.start(BEGINNING)
        if isinstance(action, StartPod)
    ]
    assert deadlines == [90.0, 120.0]


def test_pending_for_too_long() -> None:
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


# Locks


LOCKED = job(synchronization={"mutexes": [{"name": "build-{{workflow.labels.l}}"}]})


def test_a_lock_is_waited_for_and_given_back() -> None:
    run = WorkflowRun(workflow(dag("main", task("a")), LOCKED), "u")
    (wish,) = run.start(BEGINNING)
    assert wish == Acquire(run.graph.find("w.a").id, ("ns/Mutex/build-label",))  # type: ignore[union-attr]
    shown = run.node_status(wish.node)
    assert shown["message"] == "Waiting for ns/Mutex/build-label lock. Lock status: 0/1"
    assert shown["synchronizationStatus"] == {"waiting": "ns/Mutex/build-label"}
    (launch,) = run.apply(LockGranted(wish.node), BEGINNING + 1)
    assert isinstance(launch, StartPod)
    assert "synchronizationStatus" not in run.node_status(wish.node)
    assert "message" not in run.node_status(wish.node)
    assert run.apply(PodEnded(wish.node, 0), BEGINNING + 2) == [
        Release(wish.node, ("ns/Mutex/build-label",))
    ]


def test_one_holder_at_a_time() -> None:
    simulator = Simulator(
        workflow(dag("main", *(task(name) for name in "abcd")), LOCKED), {".b": [1]}
    )
    simulator.finish()
    assert simulator.most_active == 1
    assert phases(simulator.result()) == {"": F, "a": S, "b": F, "c": S, "d": S}
    assert simulator.holders == {}


def test_a_lock_is_held_over_all_attempts() -> None:
    template = {**LOCKED, "retryStrategy": {"limit": 1}}
    simulator = Simulator(
        workflow(dag("main", task("a"), task("b")), template), {".a": [1]}
    )
    simulator.finish()
    order = [simulator.run.nodes[launch.node].name for launch in simulator.launched]
    assert order == ["w.a(0)", "w.a(1)", "w.b(0)"]
    assert phases(simulator.result())[""] == S
    assert simulator.holders == {}


def test_who_waits_for_a_lock_is_shut_down() -> None:
    simulator = Simulator(
        workflow(dag("main", task("a"), task("b")), LOCKED), {}, [(0.5, TERMINATE)]
    )
    simulator.finish()
    done = simulator.result()
    assert by_name(done, "b")["message"] == "Stopped with strategy 'Terminate'"
    assert simulator.holders == {}
    assert len(simulator.launched) == 1


def test_a_retry_group_that_would_lock_does_not_begin_at_a_shutdown() -> None:
    template = {**LOCKED, "name": "locked", "retryStrategy": {"limit": 1}}
    document = workflow(
        dag("main", task("g", "locked", withItems=["a", "b"]), parallelism=1), template
    )
    simulator = Simulator(document, {}, [(0.5, TERMINATE)])
    simulator.finish()
    done = simulator.result()
    assert by_name(done, "g(1:b)")["message"] == "Stopped with strategy 'Terminate'"
    assert by_name(done, "g(1:b)")["phase"] == F
    assert (simulator.holders, simulator.waiting) == ({}, {})


def test_who_waits_for_a_lock_too_long_gives_up() -> None:
    template = {**LOCKED, "pendingTimeout": "30s"}
    simulator = Simulator(
        workflow(dag("main", task("a"), task("b")), template), {".a": [End(after=60)]}
    )
    simulator.finish()
    assert phases(simulator.result()) == {"": F, "a": S, "b": F}
    assert by_name(simulator.result(), "b")["message"] == "timeout"
    assert simulator.waiting == {}
