"""Values of tags: parameters, outputs, conditions."""

from typing import Any

from riseml.engines.local.interpreter.events import (
    StartPod,
)
from riseml.engines.local.interpreter.node import fnv1a
from riseml.engines.local.interpreter.validate import check
from tests.unit.simulator import (
    End,
    Simulator,
    by_name,
    phases,
    simulate,
)
from tests.unit.workflows import arguments, dag, job, task, workflow

S = "Succeeded"
K = "Skipped"
E = "Error"


def launched(document: dict[str, Any], **script: list[int | End]) -> list[StartPod]:
    check(document)
    simulator = Simulator(document, {f".{name}": ends for name, ends in script.items()})
    simulator.finish()
    return simulator.launched


def test_tags_with_a_value_are_replaced() -> None:
    text = (
        "{{workflow.name}} {{ workflow.uid }} {{workflow.labels.l}} "
        "{{workflow.annotations.x/y}} {{workflow.parameters.p}} "
        "{{inputs.parameters.a}} {{node.name}} {{pod.name}} {{retries}} {{user.text}} {{ {{inputs.parameters.a}}"
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
        arguments=arguments({"p": "1"}),
    )
    (launch,) = launched(document)
    assert launch.template["container"]["args"] == [
        f"w uid label z 1 w! w.t w-job-{fnv1a('w.t')} {{{{retries}}}} {{{{user.text}}}} {{{{ w!"
    ]
    assert launch.template["container"]["env"][0]["value"] == "w!"
    assert launch.name == f"w-job-{fnv1a('w.t')}"


def test_an_output_of_a_task_can_be_an_input_of_another() -> None:
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


def test_outputs_of_a_skipped_task_have_their_default_or_are_left_out() -> None:
    maker = job("maker", outputs={"r": "default", "s": None})
    taker = job(inputs=["r"])
    taker["inputs"]["parameters"].append({"name": "s", "default": "own"})
    task_arguments = {
        "r": "{{tasks.x.outputs.parameters.r}}",
        "s": "{{tasks.x.outputs.parameters.s}}",
    }
    main = dag(
        "main",
        task("x", "maker", when="1 == 2"),
        task("t", depends="x", arguments=task_arguments),
    )
    (launch,) = launched(workflow(main, taker, maker))
    assert launch.template["inputs"]["parameters"] == [
        {"name": "r", "value": "default"},
        {"name": "s", "value": "own"},
    ]


def test_a_missing_output_of_a_skipped_task_is_an_error_of_its_dependent() -> None:
    main = dag(
        "main",
        task("x", "maker", when="1 == 2"),
        task("t", depends="x", arguments={"a": "{{tasks.x.outputs.parameters.r}}"}),
    )
    done = simulate(
        workflow(main, job(inputs=["a"]), job("maker", outputs={"r": None}))
    )
    assert by_name(done, "t")["message"] == (
        "task 'w.t' errored: inputs.parameters.a: argument references an absent "
        "optional (skipped/omitted node output with no default)"
    )


def test_a_missing_output_of_a_failed_task_is_an_error_of_its_dependent() -> None:
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


def test_a_group_whose_arguments_have_no_value_is_an_error() -> None:
    task_arguments = {"a": "{{tasks.x.outputs.parameters.r}} {{item}}"}
    main = dag(
        "main",
        task("x", "maker"),
        task("g", withItems=["p"], depends="x.Errored", arguments=task_arguments),
    )
    done = simulate(
        workflow(main, job(inputs=["a"]), job("maker", outputs={"r": None}))
    )
    assert (
        by_name(done, "g")["message"]
        == "failed to resolve {{tasks.x.outputs.parameters.r}}"
    )
    assert phases(done) == {"": E, "x": E, "g": E}


def test_a_task_can_refer_to_the_id_of_another() -> None:
    main = dag(
        "main",
        task("x"),
        task("t", "taker", depends="x", arguments={"a": "{{tasks.x.id}}"}),
    )
    _, launch = launched(workflow(main, job(), job("taker", inputs=["a"])))
    assert launch.template["inputs"]["parameters"][0]["value"] == f"w-{fnv1a('w.x')}"


def test_a_condition_can_refer_to_the_outcome_of_a_task() -> None:
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


def test_tags_in_raw_artifacts_are_replaced() -> None:
    template = job(
        metadata={"labels": {"riseml.io/type": "build"}},
        inputs={
            "artifacts": [
                {"name": "d", "path": "/d", "raw": {"data": "FROM {{workflow.name}}"}}
            ]
        },
    )
    volumes = [
        {
            "name": "v",
            "persistentVolumeClaim": {"claimName": "riseml-data"},
        }
    ]
    (launch,) = launched(workflow(dag("main", task("t")), template, volumes=volumes))
    assert launch.template["inputs"]["artifacts"][0]["raw"]["data"] == "FROM w"
    assert launch.volumes[0]["persistentVolumeClaim"]["claimName"] == "riseml-data"
