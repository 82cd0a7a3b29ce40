"""What runs when, and what comes of it: DAGs, conditions, items, places, parameters."""

import re
from typing import Any

import pytest

from riseml.engines.local.interpreter.events import (
    Annotated,
    LockGranted,
    PodEnded,
    PodPending,
    PodProgressed,
    PodStarted,
    StartPod,
)
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.engines.local.interpreter.validate import check
from tests.unit import plans
from tests.unit.simulator import BEGINNING, End, Simulator, by_name, phases, simulate
from tests.unit.workflows import arguments, dag, job, task, workflow

F, S, X, K, E = "Failed", "Succeeded", "Omitted", "Skipped", "Error"
ABC = ("a", "b", "c")


@pytest.mark.parametrize(
    ("tasks", "codes", "wanted"),
    [
        pytest.param(
            [task("a"), task("b")], {}, {"": S, "a": S, "b": S}, id="two tasks"
        ),
        pytest.param(
            [task("a"), task("b")],
            {"a": [1]},
            {"": F, "a": F, "b": S},
            id="failFast stops nothing that runs",
        ),
        pytest.param(
            [task("a"), task("b", depends="a"), task("c", depends="b")],
            {"a": [1]},
            {"": F, "a": F, "b": X, "c": X},
            id="omitted ones inherit the failure",
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
            id="a failure answered for",
        ),
        pytest.param(
            [task("a"), task("b", depends="a.Failed")],
            {},
            {"": S, "a": S, "b": X},
            id="an omitted leaf inherits success",
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
            id="either, once both are done",
        ),
        pytest.param(
            [task("a", when="1 == 2"), task("b", depends="a")],
            {},
            {"": S, "a": K, "b": S},
            id="skipped is good enough",
        ),
        pytest.param(
            [task("a", when="1 == 2"), task("b", depends="a.Succeeded")],
            {},
            {"": S, "a": K, "b": X},
            id="or not",
        ),
        pytest.param(
            [task("a", when="x < 1")],
            {},
            {"": E, "a": E},
            id="a condition that makes no sense",
        ),
    ],
)
def test_dag(
    tasks: list[dict[str, Any]], codes: dict[str, list[int]], wanted: dict[str, str]
) -> None:
    document = workflow(dag("main", *tasks), job())
    assert (
        phases(simulate(document, {f".{name}": ends for name, ends in codes.items()}))
        == wanted
    )


@pytest.mark.parametrize(("fail_fast", "wanted"), [(None, F), (True, F), (False, E)])
def test_fail_fast_of_a_dag_decides_which_failure_counts(
    fail_fast: bool | None, wanted: str
) -> None:
    document = workflow(dag("main", task("a"), task("b"), fail_fast=fail_fast), job())
    done = simulate(
        document,
        {".a": [1], ".b": [End(None, message="machine restarted", phase="Error")]},
    )
    assert phases(done) == {"": wanted, "a": F, "b": E}


def test_fail_fast_of_a_template_starts_nothing_after_a_failure() -> None:
    template = dag("main", task("a"), task("b"), task("c", depends="b"), failFast=True)
    done = simulate(workflow(template, job()), {".a": [1], ".b": [End(after=3)]})
    assert phases(done) == {"": F, "a": F, "b": S}
    assert (
        by_name(done, "")["message"]
        == "template has failed or errored children and failFast enabled"
    )


def test_names_are_argos() -> None:
    done = simulate(plans.compiled(plans.grid({"lr": "0.1"}, {"lr": "(2)"})))
    node = by_name(done, "set.experiment(1:lr:2,riseml-sub:2).train")
    assert node["id"] == f"mnist-14-{_fnv1a(node['name'])}"
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


def _fnv1a(text: str) -> int:
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) % 2**32
    return value


def test_edges_follow_the_last_nodes_of_what_is_needed() -> None:
    inner = dag("inner", task("x"), task("y", depends="x"))
    main = dag(
        "main",
        task("a", "inner"),
        task("g", withItems=["p", "q"], depends="a"),
        task("z", depends="g"),
    )
    done = simulate(workflow(main, inner, job()))

    def below(name: str) -> list[str]:
        nodes = done["status"]["nodes"]
        return [
            nodes[key]["name"].removeprefix("w.")
            for key in by_name(done, name).get("children", ())
        ]

    assert below("") == ["a"]
    assert below("a") == ["a.x"]
    assert below("a.y") == ["g"]
    assert below("g") == ["g(0:p)", "g(1:q)"]
    assert below("g(0:p)") == below("g(1:q)") == ["z"]


def test_a_whole_message_and_the_times_of_a_failure() -> None:
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


@pytest.mark.parametrize(
    ("end", "phase", "message", "exit_code"),
    [
        (End(137, reason="OOMKilled"), F, "main: OOMKilled (exit code 137)", "137"),
        (End(128, container="checkout"), F, "checkout: Error (exit code 128)", None),
        (
            End(143, container="checkout"),
            E,
            "Pod failed before main container starts due to PodInitializing: ",
            None,
        ),
        (
            End(None, message="machine restarted", phase="Error"),
            E,
            "machine restarted",
            None,
        ),
        (End(137, message="too long", phase="Failed"), F, "too long", "137"),
        (
            End(None),
            F,
            "pod failed: neither main nor wait container completed successfully",
            None,
        ),
    ],
)
def test_how_a_pod_ends(
    end: End, phase: str, message: str, exit_code: str | None
) -> None:
    node = by_name(
        simulate(workflow(dag("main", task("a")), job()), {".a": [end]}), "a"
    )
    assert (
        node["phase"],
        node["message"],
        node.get("outputs", {}).get("exitCode"),
    ) == (phase, message, exit_code)


# Items and places


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_no_more_than_concurrency_at_a_time(concurrency: int) -> None:
    cells = [{"lr": str(i)} for i in range(12)]
    simulator = Simulator(
        plans.compiled(plans.grid(*cells, concurrency=concurrency)), {}
    )
    simulator.finish()
    assert simulator.most_active == concurrency
    assert len(simulator.launched) == len(cells)


def test_items_beyond_the_limit_have_no_node_yet() -> None:
    document = plans.compiled(
        plans.grid(*({"lr": str(i)} for i in range(10_000)), concurrency=2)
    )
    run = WorkflowRun(document, "uid")
    assert (
        len([action for action in run.start(BEGINNING) if isinstance(action, StartPod)])
        == 2
    )
    assert len(run.nodes) == 3 + 2 * 2


def test_a_retry_keeps_its_place() -> None:
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


def test_one_failing_item_ends_no_other() -> None:
    cells = [{"lr": str(i)} for i in range(4)]
    done = simulate(
        plans.compiled(plans.grid(*cells, concurrency=2)),
        {"lr:1,riseml-sub:2).train": [1]},
    )
    each = [
        phases(done)[f"set.experiment({i}:lr:{i},riseml-sub:{i + 1})"] for i in range(4)
    ]
    assert each == [S, F, S, S]
    assert (
        phases(done)["set.experiment"] == phases(done)["set"] == phases(done)[""] == F
    )


def test_a_killed_cell_that_has_not_started_is_skipped_with_the_reason() -> None:
    cells = [{"lr": str(i)} for i in range(4)]
    document = plans.compiled(plans.grid(*cells, concurrency=1))
    killed = Annotated("riseml.io/killed", "3=2026-01-01T00:00:00Z")
    done = simulate(document, {}, [(0.5, killed)])
    node = by_name(done, "set.experiment(2:lr:2,riseml-sub:3)")
    assert (node["type"], node["phase"]) == ("Skipped", K)
    assert (
        node["message"]
        == "when ''3=2026-01-01T00:00:00Z' !~ '(^|,)(3|[*])='' evaluated false"
    )
    assert phases(done)["set.experiment"] == S


def test_killing_all_skips_what_waits_for_a_place_at_once() -> None:
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
def test_items_that_are_no_maps(item: Any, name: str, value: str) -> None:
    main = dag("main", task("t", withItems=[item], arguments={"a": "{{item}}"}))
    done = simulate(workflow(main, job(inputs=["a"])))
    assert by_name(done, name)["inputs"]["parameters"] == [
        {"name": "a", "value": value}
    ]


def test_values_of_maps_come_as_json_writes_them() -> None:
    main = dag(
        "main",
        task("t", withItems=[{"b": 'a\\"\n', "a": 1}], arguments={"a": "{{item.b}}"}),
    )
    done = simulate(workflow(main, job(inputs=["a"])))
    assert (
        by_name(done, 't(0:a:1,b:a\\\\\\"\\n)')["inputs"]["parameters"][0]["value"]
        == 'a\\\\\\"\\n'
    )


def test_any_and_all_of_a_group() -> None:
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


# Parameters


def launched(document: dict[str, Any], **script: list[int | End]) -> list[StartPod]:
    check(document)
    simulator = Simulator(document, {f".{name}": ends for name, ends in script.items()})
    simulator.finish()
    return simulator.launched


def test_tags_are_replaced_where_they_mean_something() -> None:
    text = (
        "{{workflow.name}} {{ workflow.uid }} {{workflow.labels.l}} "
        "{{workflow.annotations.x/y}} {{workflow.parameters.p}} "
        "{{inputs.parameters.a}} {{node.name}} {{pod.name}} {{retries}} {{somebody.elses}} {{ {{inputs.parameters.a}}"
    )
    template = job(
        inputs=["a"],
        container={
            "args": [text],
            "env": [{"name": "A", "value": "{{inputs.parameters.a}}"}],
        },
    )
    document = workflow(
        dag("main", task("t", arguments={"a": "{{workflow.name}}!"})),
        template,
        annotations={"x/y": "z"},
        arguments=arguments({"p": 1}),
    )
    (launch,) = launched(document)
    assert launch.template["container"]["args"] == [
        f"w uid label z 1 w! w.t w-job-{_fnv1a('w.t')} {{{{retries}}}} {{{{somebody.elses}}}} {{{{ w!"
    ]
    assert launch.template["container"]["env"][0]["value"] == "w!"
    assert launch.name == f"w-job-{_fnv1a('w.t')}"


def test_the_output_of_a_task_is_the_input_of_another() -> None:
    inner = dag(
        "inner", task("y", arguments={"a": "{{inputs.parameters.a}}"}), inputs=["a"]
    )
    main = dag(
        "main",
        task("x", "maker"),
        task(
            "t",
            "inner",
            depends="x",
            arguments={"a": "{{tasks.x.outputs.parameters.r}}"},
        ),
    )
    document = workflow(
        main,
        inner,
        job(inputs=["a"], container={"image": "{{inputs.parameters.a}}"}),
        job("maker", outputs={"r": None}),
    )
    _, launch = launched(document, x=[End(outputs={"r": "image@sha256:1"})])
    assert launch.template["container"]["image"] == "image@sha256:1"


@pytest.mark.parametrize(
    ("ends", "phase", "value"),
    [
        ([End(outputs={"r": "said"})], S, "said"),
        ([End()], S, "usual"),
        ([End(2)], F, "usual"),
    ],
)
def test_outputs_are_read_also_of_a_job_that_failed(
    ends: list[End], phase: str, value: str
) -> None:
    document = workflow(dag("main", task("a")), job(outputs={"r": "usual"}))
    node = by_name(simulate(document, {".a": ends}), "a")
    assert node["phase"] == phase
    assert node["outputs"]["parameters"] == [
        {"name": "r", "value": value, "valueFrom": {"path": "/r", "default": "usual"}}
    ]


def test_an_output_that_is_missing_is_an_error() -> None:
    node = by_name(
        simulate(workflow(dag("main", task("a")), job(outputs={"r": None}))), "a"
    )
    assert (node["phase"], node["message"]) == (
        E,
        "wait: Error (exit code 64): open /r: no such file or directory",
    )


def test_a_skipped_task_gives_its_default_or_leaves_the_argument_out() -> None:
    maker = job("maker", outputs={"r": "default", "s": None})
    taker = job(inputs=["r"])
    taker["inputs"]["parameters"].append({"name": "s", "default": "own"})
    given = {
        "r": "{{tasks.x.outputs.parameters.r}}",
        "s": "{{tasks.x.outputs.parameters.s}}",
    }
    main = dag(
        "main",
        task("x", "maker", when="1 == 2"),
        task("t", depends="x", arguments=given),
    )
    (launch,) = launched(workflow(main, taker, maker))
    assert launch.template["inputs"]["parameters"] == [
        {"name": "r", "value": "default"},
        {"name": "s", "value": "own"},
    ]


def test_a_skipped_task_without_a_default_is_an_error_of_who_needs_it() -> None:
    main = dag(
        "main",
        task("x", "maker", when="1 == 2"),
        task("t", depends="x", arguments={"a": "{{tasks.x.outputs.parameters.r}}"}),
    )
    done = simulate(
        workflow(main, job(inputs=["a"]), job("maker", outputs={"r": None}))
    )
    assert by_name(done, "t")["message"] == "inputs.parameters.a was not supplied"


def test_an_output_that_never_came_is_an_error_of_who_wants_it() -> None:
    main = dag(
        "main",
        task("x", "maker"),
        task(
            "t",
            depends="x.Errored",
            arguments={"a": "{{tasks.x.outputs.parameters.r}}"},
        ),
    )
    done = simulate(
        workflow(main, job(inputs=["a"]), job("maker", outputs={"r": None}))
    )
    node = by_name(done, "t")
    assert (node["type"], node["phase"]) == ("Skipped", E)
    assert node["message"] == "failed to resolve {{tasks.x.outputs.parameters.r}}"
    assert phases(done)[""] == E


def test_a_group_whose_arguments_never_came_is_an_error() -> None:
    given = {"a": "{{tasks.x.outputs.parameters.r}} {{item}}"}
    main = dag(
        "main",
        task("x", "maker"),
        task("g", withItems=["p"], depends="x.Errored", arguments=given),
    )
    done = simulate(
        workflow(main, job(inputs=["a"]), job("maker", outputs={"r": None}))
    )
    assert (
        by_name(done, "g")["message"]
        == "failed to resolve {{tasks.x.outputs.parameters.r}}"
    )
    assert phases(done) == {"": E, "x": E, "g": E}


def test_a_task_knows_the_id_of_another() -> None:
    main = dag(
        "main",
        task("x"),
        task("t", "taker", depends="x", arguments={"a": "{{tasks.x.id}}"}),
    )
    _, launch = launched(workflow(main, job(), job("taker", inputs=["a"])))
    assert launch.template["inputs"]["parameters"][0]["value"] == f"w-{_fnv1a('w.x')}"


def test_a_run_that_has_not_started_has_no_status() -> None:
    run = WorkflowRun(workflow(job()), "uid")
    assert run.status(BEGINNING) == {}
    assert not run.ended
    assert run.next_tick() is None


def test_a_condition_sees_what_tasks_have_come_to() -> None:
    main = dag(
        "main",
        task("x"),
        task(
            "t",
            depends="x || x.Failed",
            when="{{tasks.x.status}} == Failed && {{tasks.x.exitCode}} > 2",
        ),
    )
    assert phases(simulate(workflow(main, job()), {".x": [3]}))["t"] == S
    assert phases(simulate(workflow(main, job()), {".x": [1]}))["t"] == K


def test_raw_artifacts_and_volumes_are_filled() -> None:
    template = job(
        inputs={
            "artifacts": [
                {"name": "d", "path": "/d", "raw": {"data": "FROM {{workflow.name}}"}}
            ]
        }
    )
    volumes = [
        {
            "name": "v",
            "persistentVolumeClaim": {"claimName": "data-{{workflow.labels.l}}"},
        }
    ]
    (launch,) = launched(workflow(dag("main", task("t")), template, volumes=volumes))
    assert launch.template["inputs"]["artifacts"][0]["raw"]["data"] == "FROM w"
    assert launch.volumes[0]["persistentVolumeClaim"]["claimName"] == "data-label"


def test_a_container_may_be_the_entrypoint() -> None:
    done = simulate(workflow(job()), {"w": [4]})
    assert (done["status"]["phase"], done["status"]["message"]) == (
        F,
        "main: Error (exit code 4)",
    )
    assert list(done["status"]["nodes"]) == ["w"]


def test_progress_adds_up() -> None:
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


def test_the_same_workflow_gives_the_same_document() -> None:
    document = plans.compiled(
        plans.grid(*({"lr": str(i)} for i in range(5)), concurrency=2)
    )
    assert simulate(document) == simulate(document)


def test_two_names_with_one_hash_are_two_nodes() -> None:
    names = ("t5648", "t964556")
    assert _fnv1a(f"w.{names[0]}") == _fnv1a(f"w.{names[1]}")
    done = simulate(workflow(dag("main", *(task(name) for name in names)), job()))
    assert [by_name(done, name)["phase"] for name in names] == [S, S]
    assert len(done["status"]["nodes"]) == 3


def test_events_about_unknown_pods_change_nothing() -> None:
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
    before = run.status(BEGINNING)
    run.apply(PodEnded(launch.node, 1), BEGINNING)
    assert run.status(BEGINNING) == before
    assert run.ended


def test_times_are_written_as_argo_does_but_finer() -> None:
    done = simulate(plans.compiled(plans.single()))
    moment = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    for node in [done["status"], *done["status"]["nodes"].values()]:
        assert moment.fullmatch(node["startedAt"])
        assert moment.fullmatch(node["finishedAt"])
