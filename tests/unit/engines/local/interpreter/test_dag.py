"""DAGs and task groups: order, conditions, items, slots and daemons."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.events import (
    Annotated,
    StartPod,
)
from riseml.engines.local.interpreter.run import WorkflowRun
from tests.unit import plans
from tests.unit.simulator import (
    BEGINNING,
    End,
    Simulator,
    by_name,
    phases,
    simulate,
)
from tests.unit.workflows import dag, job, task, workflow

F = "Failed"
S = "Succeeded"
X = "Omitted"
K = "Skipped"
E = "Error"
R = "Running"
ABC = ("a", "b", "c")
DAEMON = job("ps", daemon=True)


@pytest.mark.parametrize(
    ("tasks", "codes", "expected"),
    [
        pytest.param(
            [task("a"), task("b")], {}, {"": S, "a": S, "b": S}, id="two tasks"
        ),
        pytest.param(
            [task("a"), task("b")],
            {"a": [1]},
            {"": F, "a": F, "b": S},
            id="failFast stops no running task",
        ),
        pytest.param(
            [task("a"), task("b", depends="a"), task("c", depends="b")],
            {"a": [1]},
            {"": F, "a": F, "b": X, "c": X},
            id="an omitted task passes on the failure",
        ),
        pytest.param(
            [task("a"), task("b", dependencies=["a"])],
            {"a": [1]},
            {"": F, "a": F, "b": X},
            id="dependencies",
        ),
        pytest.param(
            [task("a"), task("b", depends="a.Failed")],
            {"a": [1]},
            {"": S, "a": F, "b": S},
            id="a failure that another task handles",
        ),
        pytest.param(
            [task("a"), task("b", depends="a.Failed")],
            {},
            {"": S, "a": S, "b": X},
            id="an omitted task passes on the success",
        ),
        pytest.param(
            [task("a"), task("b"), task("c", depends="a && b")],
            {"b": [1]},
            {"": F, "a": S, "b": F, "c": X},
            id="both",
        ),
        pytest.param(
            [task("a"), task("b"), task("c", depends="a || b.Succeeded")],
            {"b": [1]},
            {"": S, "a": S, "b": F, "c": S},
            id="either, when both are done",
        ),
        pytest.param(
            [task("a", when="1 == 2"), task("b", depends="a")],
            {},
            {"": S, "a": K, "b": S},
            id="a skipped task satisfies a dependency",
        ),
        pytest.param(
            [task("a", when="1 == 2"), task("b", depends="a.Succeeded")],
            {},
            {"": S, "a": K, "b": X},
            id="a skipped task has not succeeded",
        ),
        pytest.param(
            [task("a", when="x < 1")],
            {},
            {"": E, "a": E},
            id="a condition that cannot be evaluated",
        ),
    ],
)
def test_a_dag_runs_its_tasks_as_their_conditions_demand(
    tasks: list[dict[str, Any]], codes: dict[str, list[int]], expected: dict[str, str]
) -> None:
    document = workflow(dag("main", *tasks), job())
    assert (
        phases(simulate(document, {f".{name}": ends for name, ends in codes.items()}))
        == expected
    )


@pytest.mark.parametrize(("fail_fast", "expected"), [(None, F), (True, F), (False, E)])
def test_fail_fast_of_a_dag_decides_which_failure_counts(
    fail_fast: bool | None, expected: str
) -> None:
    document = workflow(dag("main", task("a"), task("b"), fail_fast=fail_fast), job())
    done = simulate(
        document,
        {".a": [1], ".b": [End(None, message="machine restarted", phase="Error")]},
    )
    assert phases(done) == {"": expected, "a": F, "b": E}


def test_fail_fast_of_a_template_starts_nothing_after_a_failure() -> None:
    template = dag("main", task("a"), task("b"), task("c", depends="b"), failFast=True)
    done = simulate(workflow(template, job()), {".a": [1], ".b": [End(after=3)]})
    assert phases(done) == {"": F, "a": F, "b": S}
    assert (
        by_name(done, "")["message"]
        == "template has failed or errored children and failFast enabled"
    )


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_at_most_concurrency_experiments_run_at_a_time(concurrency: int) -> None:
    experiments = [{"lr": str(i)} for i in range(12)]
    simulator = Simulator(
        plans.compiled(plans.grid(*experiments, concurrency=concurrency)), {}
    )
    simulator.finish()
    assert simulator.most_active == concurrency
    assert len(simulator.launched) == len(experiments)


def test_items_without_a_slot_have_no_node() -> None:
    document = plans.compiled(
        plans.grid(*({"lr": str(i)} for i in range(10_000)), concurrency=2)
    )
    run = WorkflowRun(document, "uid")
    assert (
        len([action for action in run.start(BEGINNING) if isinstance(action, StartPod)])
        == 2
    )
    assert len(run.nodes) == 3 + 2 * 2


def test_a_retry_group_keeps_its_slot() -> None:
    retried = job(
        retryStrategy={
            "limit": 2,
            "retryPolicy": "Always",
            "backoff": {"duration": "60"},
        }
    )
    main = dag("main", task("t", withItems=["a", "b", "c"]), parallelism=1)
    simulator = Simulator(workflow(main, retried), {"a)": [1, 1, 0]})
    simulator.finish()
    assert simulator.most_active == 1
    assert [launch.attempt for launch in simulator.launched] == [0, 1, 2, 0, 0]


def test_a_failed_item_does_not_stop_the_others() -> None:
    experiments = [{"lr": str(i)} for i in range(4)]
    done = simulate(
        plans.compiled(plans.grid(*experiments, concurrency=2)),
        {"lr:1,riseml-sub:2).train": [1]},
    )
    experiment_phases = [
        phases(done)[f"set.experiment({i}:lr:{i},riseml-sub:{i + 1})"] for i in range(4)
    ]
    assert experiment_phases == [S, F, S, S]
    assert (
        phases(done)["set.experiment"] == phases(done)["set"] == phases(done)[""] == F
    )


def test_a_killed_experiment_that_has_not_started_is_skipped_with_the_reason() -> None:
    experiments = [{"lr": str(i)} for i in range(4)]
    document = plans.compiled(plans.grid(*experiments, concurrency=1))
    killed = Annotated("riseml.io/killed", "3=2026-01-01T00:00:00Z")
    done = simulate(document, {}, [(0.5, killed)])
    node = by_name(done, "set.experiment(2:lr:2,riseml-sub:3)")
    assert (node["type"], node["phase"]) == ("Skipped", K)
    assert (
        node["message"]
        == "when ''3=2026-01-01T00:00:00Z' !~ '(^|,)(3|[*])='' evaluated false"
    )
    assert phases(done)["set.experiment"] == S


def test_killing_all_experiments_skips_the_waiting_ones_at_once() -> None:
    document = plans.compiled(
        plans.grid(*({"lr": str(i)} for i in range(4)), concurrency=1)
    )
    simulator = Simulator(document, {})
    simulator._act(simulator.run.start(BEGINNING))
    simulator.apply(Annotated("riseml.io/killed", "*=2026-01-01T00:00:00Z"))
    assert sorted(phases(simulator.result()).values()) == [
        "Pending",
        *["Running"] * 4,
        *[K] * 3,
    ]


@pytest.mark.parametrize(
    ("item", "name", "value"),
    [
        ("a(b)", "t(0:ab)", "a(b)"),
        (3, "t(0:3)", "3"),
        (True, "t(0:true)", "true"),
        ('say "x"', 't(0:say \\"x\\")', 'say "x"'),
        ("grün", "t(0:grün)", "grün"),
    ],
)
def test_items_need_not_be_maps(item: Any, name: str, value: str) -> None:
    main = dag("main", task("t", withItems=[item], arguments={"a": "{{item}}"}))
    done = simulate(workflow(main, job(inputs=["a"])))
    assert by_name(done, name)["inputs"]["parameters"] == [
        {"name": "a", "value": value}
    ]


def test_values_of_maps_are_inserted_as_json() -> None:
    main = dag(
        "main",
        task("t", withItems=[{"b": 'a\\"\n', "a": 1}], arguments={"a": "{{item.b}}"}),
    )
    done = simulate(workflow(main, job(inputs=["a"])))
    assert (
        by_name(done, 't(0:a:1,b:a\\\\\\"\\n)')["inputs"]["parameters"][0]["value"]
        == 'a\\\\\\"\\n'
    )


def test_a_task_can_depend_on_any_or_all_items_of_a_group() -> None:
    main = dag(
        "main",
        task("g", withItems=ABC),
        task("any", depends="g.AnySucceeded"),
        task("all", depends="g.AllFailed"),
        task("plain", depends="g"),
    )
    assert (
        phases(simulate(workflow(main, job()), {"g(1:b)": [1]})).items()
        >= {"any": S, "all": X, "plain": X}.items()
    )
    failed = phases(
        simulate(workflow(main, job()), {f"g({i}:{c})": [1] for i, c in enumerate(ABC)})
    )
    assert failed.items() >= {"any": X, "all": S, "plain": X, "g": F}.items()


def test_a_daemon_stops_with_its_dag() -> None:
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


def test_a_daemon_of_an_inner_dag_stops_with_that_dag() -> None:
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


def test_dependents_of_a_daemon_start_when_it_is_ready() -> None:
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


def test_a_daemon_keeps_its_slot() -> None:
    document = workflow(
        dag("main", task("a", "ps"), task("b"), parallelism=1), job(), DAEMON
    )
    assert phases(simulate(document)) == {"": R, "a": R}


def test_a_daemon_that_is_pending_too_long_fails() -> None:
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


def _giving(text: str) -> dict[str, list[int | End]]:
    """Return a script in which the task `a` ends with this output."""
    return {"a": [End(outputs={"list": text})]}


def _document(**fields: Any) -> dict[str, Any]:
    giver = job(
        "giver",
        outputs={"parameters": [{"name": "list", "valueFrom": {"path": "/list"}}]},
    )
    main = dag(
        "main",
        task("a", "giver"),
        task(
            "t",
            "taker",
            depends="a.Succeeded",
            withParam="{{tasks.a.outputs.parameters.list}}",
            arguments={"p": "{{item.x}}"},
        ),
        task("after", depends="t.AnySucceeded"),
        fail_fast=False,
        **fields,
    )
    return workflow(main, giver, job("taker", inputs=["p"]), job())


ITEMS = '[{"x": "1"}, {"x": "it\'s"}, {"x": "3"}]'


@pytest.mark.parametrize("restarts", [(), range(1, 40)])
def test_items_may_come_from_an_output(restarts: Any) -> None:
    simulator = Simulator(_document(parallelism=1), _giving(ITEMS), restarts=restarts)
    simulator.finish()
    done = simulator.result()
    names = ["t(0:x:1)", "t(1:x:it's)", "t(2:x:3)"]
    values = [by_name(done, name)["inputs"]["parameters"][0]["value"] for name in names]
    assert values == ["1", "it's", "3"]
    assert phases(done).items() >= {"t": S, "after": S, "": S}.items()
    assert simulator.most_active == 1


def test_an_output_that_is_no_list_fails_its_task() -> None:
    done = simulate(_document(), _giving("none"))
    assert by_name(done, "t")["message"] == (
        "withParam value could not be parsed as a JSON list: none"
    )
    assert phases(done).items() >= {"t": E, "after": X, "": E}.items()


def test_an_empty_list_skips_its_task() -> None:
    done = simulate(_document(), _giving("[]"))
    assert by_name(done, "t")["message"] == "Skipped, empty params"
    assert phases(done).items() >= {"t": K, "after": X, "": S}.items()


def test_no_items_without_the_output() -> None:
    done = simulate(_document(), {"a": [1]})
    assert phases(done).items() >= {"a": F, "t": X, "after": X, "": F}.items()
