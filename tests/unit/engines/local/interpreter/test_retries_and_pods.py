"""Retries, and the deadlines and locks of pods."""

import itertools
from typing import Any

import pytest

from riseml.engines.local.interpreter.events import (
    Acquire,
    LockGranted,
    PodEnded,
    Release,
    Shutdown,
    StartPod,
)
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.plan import Retries
from tests.unit import plans
from tests.unit.simulator import BEGINNING, End, Simulator, by_name, phases, simulate
from tests.unit.workflows import arguments, dag, job, task, workflow

F, S, E = "Failed", "Succeeded", "Error"
TERMINATE = Shutdown("Terminate")
LOCKED = job(synchronization={"mutexes": [{"name": "build-{{workflow.labels.l}}"}]})
LOST = End(None, message="machine restarted", phase=E)


def retried(codes: list[int | End], **strategy: Any) -> dict[str, Any]:
    document = workflow(dag("main", task("a")), job(retryStrategy=strategy))
    return simulate(document, {".a": codes})


@pytest.mark.parametrize(
    ("strategy", "codes", "attempts", "phase", "message"),
    [
        pytest.param(
            {"limit": "2"}, [1, 1, 0], [F, F, S], S, None, id="the third succeeds"
        ),
        pytest.param(
            {"limit": 1}, [1, 2, 0], [F, F], F, "No more retries left", id="a limit"
        ),
        pytest.param(
            {"limit": "0"}, [1], [F], F, "No more retries left", id="no retries"
        ),
        pytest.param(
            {"limit": 2, "retryPolicy": "OnError"},
            [1],
            [F],
            F,
            "main: Error (exit code 1)",
            id="OnError",
        ),
        pytest.param(
            {"limit": 2, "retryPolicy": "OnError"},
            [LOST],
            [E, S],
            S,
            None,
            id="an error",
        ),
        pytest.param(
            {"limit": 2, "retryPolicy": "OnFailure"},
            [LOST],
            [E],
            E,
            "machine restarted",
            id="OnFailure",
        ),
        pytest.param(
            {"limit": 2},
            [LOST],
            [E],
            E,
            "machine restarted",
            id="OnFailure is the default",
        ),
        pytest.param(
            {"limit": 2, "expression": "lastRetry.status == 'Error'"},
            [LOST, LOST],
            [E, E, S],
            S,
            None,
            id="Always is the default with an expression",
        ),
        pytest.param(
            {"limit": 9, "expression": "asInt(lastRetry.exitCode) > 2"},
            [3, 3, 2],
            [F, F, F],
            F,
            "retryStrategy.expression evaluated to false",
            id="an expression",
        ),
        pytest.param(
            {
                "limit": 9,
                "expression": "lastRetry.exitCode == '-1' && lastRetry.message matches 'restarted'",
            },
            [LOST, 1],
            [E, F],
            F,
            "retryStrategy.expression evaluated to false",
            id="a message",
        ),
        pytest.param(
            {"expression": "asInt(retries) < 4"},
            [1] * 9,
            [F] * 5,
            F,
            None,
            id="without a limit",
        ),
    ],
)
def test_the_rule_decides_about_further_attempts(
    strategy: dict[str, Any],
    codes: list[int | End],
    attempts: list[str],
    phase: str,
    message: str | None,
) -> None:
    done = retried(codes, **strategy)
    assert [phases(done)[f"a({number})"] for number in range(len(attempts))] == attempts
    assert f"a({len(attempts)})" not in phases(done)
    group = by_name(done, "a")
    assert (group["type"], group["phase"]) == ("Retry", phase)
    if message:
        assert group["message"] == message
    assert phases(done)[""] == phase


def test_a_group_has_the_outputs_of_its_last_attempt() -> None:
    document = workflow(
        dag("main", task("a")), job(retryStrategy={"limit": 1}, outputs={"r": "x"})
    )
    done = simulate(document, {".a": [5, End(outputs={"r": "y"})]})
    assert by_name(done, "a")["outputs"]["exitCode"] == "0"
    assert by_name(done, "a")["outputs"]["parameters"][0]["value"] == "y"
    assert by_name(done, "a(0)")["nodeFlag"] == {"retried": True}
    assert by_name(done, "a(0)")["displayName"] == "a(0)"


def test_an_attempt_can_refer_to_its_number_and_the_last_attempt() -> None:
    text = "{{retries}} {{lastRetry.exitCode}} {{lastRetry.status}} {{pod.name}}"
    document = workflow(
        dag("main", task("a")),
        job(retryStrategy={"limit": 1}, container={"args": [text]}),
    )
    simulator = Simulator(document, {".a": [7]})
    simulator.finish()
    first, second = (
        launch.template["container"]["args"][0].rpartition(" ")[0]
        for launch in simulator.launched
    )
    assert (first, second) == ("0 0 ", "1 7 Failed")
    assert len({launch.name for launch in simulator.launched}) == 2


def test_backoff_doubles_the_wait_up_to_its_cap() -> None:
    strategy = {"limit": 3, "backoff": {"duration": "10s", "factor": 2, "cap": "30"}}
    simulator = Simulator(
        workflow(dag("main", task("a")), job(retryStrategy=strategy)),
        {".a": [1, 1, 1, 1]},
    )
    messages = []
    simulator._act(simulator.run.start(simulator.now))
    while simulator.step():
        message = by_name(simulator.result(), "a").get("message", "")
        if message not in messages:
            messages.append(message)
    assert messages == [
        "",
        "Backoff for 10 seconds",
        "Backoff for 20 seconds",
        "Backoff for 30 seconds",
        "No more retries left",
    ]
    starts = [node.started_at for node in simulator.run.nodes.values() if node.retried]
    assert [round(b - a, 2) for a, b in itertools.pairwise(starts)] == [
        11.25,
        21.25,
        31.25,
    ]


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("5", "Backoff would exceed max duration limit"),
        ("1", "Max duration limit exceeded"),
    ],
)
def test_the_maximum_duration_ends_the_attempts(limit: str, message: str) -> None:
    done = retried([1, 1, 1], limit=5, backoff={"duration": "4", "maxDuration": limit})
    assert by_name(done, "a")["message"] == message


def test_a_dag_is_retried_as_one() -> None:
    inner = dag(
        "inner",
        task("x", arguments={"n": "{{retries}}"}),
        task("y", depends="x", arguments={"n": "-"}),
        retryStrategy={"limit": 1, "retryPolicy": "Always"},
    )
    document = workflow(dag("main", task("a", "inner")), inner, job(inputs=["n"]))
    done = simulate(document, {"a(0).x": [0], "a(0).y": [1]})
    assert phases(done) == {
        "": S, "a": S, "a(0)": F, "a(0).x": S, "a(0).y": F, "a(1)": S, "a(1).x": S, "a(1).y": S,
    }  # fmt: skip
    assert by_name(done, "a(1).x")["inputs"]["parameters"] == [
        {"name": "n", "value": "1"}
    ]
    assert by_name(done, "a(1)")["type"] == "DAG"


def test_a_killed_experiment_is_not_retried() -> None:
    expression = "!('{{workflow.annotations.k}}' matches '(^|,)({{inputs.parameters.sub}}|[*])=')"
    template = job(
        inputs=["sub"],
        retryStrategy={"limit": 3, "retryPolicy": "Always", "expression": expression},
    )
    document = workflow(
        dag(
            "main", task("a", arguments={"sub": "1"}), task("b", arguments={"sub": "2"})
        ),
        template,
        annotations={"k": "2=x"},
    )
    done = simulate(document, {".a": [143], ".b": [143]})
    assert phases(done) == {"": F, "a": S, "a(0)": F, "a(1)": S, "b": F, "b(0)": F}


def test_no_attempt_follows_a_shutdown() -> None:
    document = workflow(
        dag("main", task("a")),
        job(retryStrategy={"limit": 3, "backoff": {"duration": "100"}}),
    )
    for seconds in (0.5, 20.0):
        done = simulate(document, {".a": [1]}, [(seconds, Shutdown("Terminate"))])
        assert phases(done) == {"": F, "a": F, "a(0)": F}
        assert by_name(done, "a")["message"] == "Stopped with strategy 'Terminate'"


def test_an_expression_that_cannot_be_evaluated_is_an_error() -> None:
    done = retried([1], limit=1, expression="asInt(lastRetry.message) == 1")
    assert (phases(done)["a"], phases(done)[""]) == (E, E)
    assert (
        "asInt cannot take 'main: Error (exit code 1)'" in by_name(done, "a")["message"]
    )


def test_the_rules_that_the_compiler_writes_are_understood() -> None:
    document = plans.compiled(plans.single(retries=Retries(2, ("oom",))))
    done = simulate(document, {".train": [137, 1]})
    name = "set.experiment(0:riseml-sub:1).train"
    assert [phases(done)[f"{name}{suffix}"] for suffix in ("", "(0)", "(1)")] == [
        F,
        F,
        F,
    ]
    assert (
        by_name(done, name)["message"] == "retryStrategy.expression evaluated to false"
    )


def test_arguments_reach_every_attempt() -> None:
    document = workflow(
        dag("main", task("a", arguments={"p": "v"})),
        job(inputs=["p"], retryStrategy={"limit": 1}),
    )
    simulator = Simulator(document, {".a": [1]})
    simulator.finish()
    assert [launch.template["inputs"] for launch in simulator.launched] == [
        arguments({"p": "v"})
    ] * 2


# Pods and locks


def test_the_shell_gets_the_deadline_of_a_pod() -> None:
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


def test_a_node_waits_for_its_lock_and_releases_it() -> None:
    run = WorkflowRun(workflow(dag("main", task("a")), LOCKED), "u")
    (request,) = run.start(BEGINNING)
    assert request == Acquire(run.graph.find("w.a").id, ("ns/Mutex/build-label",))  # type: ignore[union-attr]
    status = run.node_status(request.node)
    assert (
        status["message"] == "Waiting for ns/Mutex/build-label lock. Lock status: 0/1"
    )
    assert status["synchronizationStatus"] == {"waiting": "ns/Mutex/build-label"}
    (launch,) = run.apply(LockGranted(request.node), BEGINNING + 1)
    assert isinstance(launch, StartPod)
    assert "synchronizationStatus" not in run.node_status(request.node)
    assert "message" not in run.node_status(request.node)
    assert run.apply(PodEnded(request.node, 0), BEGINNING + 2) == [
        Release(request.node, ("ns/Mutex/build-label",))
    ]


def test_a_lock_has_one_holder_at_a_time() -> None:
    simulator = Simulator(
        workflow(dag("main", *(task(name) for name in "abcd")), LOCKED), {".b": [1]}
    )
    simulator.finish()
    assert simulator.most_active == 1
    assert phases(simulator.result()) == {"": F, "a": S, "b": F, "c": S, "d": S}
    assert simulator.holders == {}


def test_a_retry_group_holds_its_lock_for_all_attempts() -> None:
    template = {**LOCKED, "retryStrategy": {"limit": 1}}
    simulator = Simulator(
        workflow(dag("main", task("a"), task("b")), template), {".a": [1]}
    )
    simulator.finish()
    order = [simulator.run.nodes[launch.node].name for launch in simulator.launched]
    assert order == ["w.a(0)", "w.a(1)", "w.b(0)"]
    assert phases(simulator.result())[""] == S
    assert simulator.holders == {}


def test_a_shutdown_ends_a_node_that_waits_for_a_lock() -> None:
    simulator = Simulator(
        workflow(dag("main", task("a"), task("b")), LOCKED), {}, [(0.5, TERMINATE)]
    )
    simulator.finish()
    done = simulator.result()
    assert by_name(done, "b")["message"] == "Stopped with strategy 'Terminate'"
    assert simulator.holders == {}
    assert len(simulator.launched) == 1


def test_a_shutdown_ends_a_retry_group_that_needs_a_lock() -> None:
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


def test_a_node_that_waits_too_long_for_a_lock_fails() -> None:
    template = {**LOCKED, "pendingTimeout": "30s"}
    simulator = Simulator(
        workflow(dag("main", task("a"), task("b")), template), {".a": [End(after=60)]}
    )
    simulator.finish()
    assert phases(simulator.result()) == {"": F, "a": S, "b": F}
    assert by_name(simulator.result(), "b")["message"] == "timeout"
    assert simulator.waiting == {}
