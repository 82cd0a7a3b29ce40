"""Names in a Workflow: those that Kubernetes or Argo refuses are refused here as well."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.validate import check
from tests.unit.engines.local.interpreter.faults import faults_of
from tests.unit.workflows import arguments, dag, job, task, workflow


@pytest.mark.parametrize("name", ["a_b", "a.b", "-a", "a b", "é", ""])
def test_names_of_tasks_and_templates_have_letters_digits_and_hyphens(
    name: str,
) -> None:
    assert faults_of(workflow(dag("main", task(name)), job()))
    assert faults_of(workflow(dag("main", task("t", name)), job(name)))


def test_names_have_at_most_128_characters() -> None:
    check(workflow(dag("main", task("t" * 128)), job()))
    message = "is not a name of letters, digits and hyphens, at most 128"
    assert message in faults_of(workflow(dag("main", task("t" * 129)), job()))
    assert message in faults_of(workflow(dag("m" * 129, task("t")), job()))


@pytest.mark.parametrize(
    "name",
    [
        "in",
        "and",
        "or",
        "not",
        "let",
        "matches",
        "contains",
        "startsWith",
        "endsWith",
        "nil",
        "true",
        "false",
        "if",
        "else",
    ],
)
def test_a_task_with_a_word_of_the_language_cannot_be_needed(name: str) -> None:
    check(workflow(dag("main", task(name)), job()))
    for fields in ({"depends": name}, {"dependencies": [name]}):
        main = dag("main", task(name), task("z", **fields))
        assert f"tasks[z].depends: Argo cannot read the name '{name}' here" in (
            faults_of(workflow(main, job()))
        )


def test_a_task_with_needs_does_not_begin_with_a_digit() -> None:
    check(workflow(dag("main", task("1a"), task("b")), job()))
    main = dag("main", task("a"), task("1b", depends="a"))
    message = "tasks[1b]: where tasks have needs, a name starts with a letter"
    assert message in faults_of(workflow(main, job()))
    main = dag("main", task("1a"), task("b", depends="1a"))
    assert "tasks[1a]: where tasks have needs" in faults_of(workflow(main, job()))


@pytest.mark.parametrize("result", ["AnySucceeded", "AllFailed"])
def test_a_result_of_items_needs_items(result: str) -> None:
    items = dag("main", task("a", withItems=["x"]), task("b", depends=f"a.{result}"))
    check(workflow(items, job()))
    main = dag("main", task("a"), task("b", depends=f"a.{result}"))
    message = f"tasks[b].depends: a.{result} needs a task with items"
    assert message in faults_of(workflow(main, job()))


def test_names_of_pods_have_no_capital_letters() -> None:
    check(workflow(dag("Main", task("a")), job()))
    message = "spec.templates[Job].name: Kubernetes has no capital letters in the names"
    assert message in faults_of(workflow(dag("main", task("a", "Job")), job("Job")))
    assert message in faults_of(workflow(job("Job", retryStrategy={"limit": "1"})))


@pytest.mark.parametrize("name", ["a.b", "a b", "é"])
def test_names_of_parameters(name: str) -> None:
    message = f"{name!r} is not a name of letters, digits, hyphens and underscores"
    documents: list[dict[str, Any]] = [
        workflow(job(), arguments=arguments({name: "1"})),
        workflow(job(inputs={"parameters": [{"name": name, "value": "1"}]})),
        workflow(job(outputs={name: "1"})),
    ]
    for document in documents:
        assert message in faults_of(document)


@pytest.mark.parametrize("value", [1, True, 0.5])
def test_values_of_parameters_are_text(value: object) -> None:
    parameters = {"parameters": [{"name": "p", "value": value}]}
    assert f"value: {value!r} is not text" in faults_of(
        workflow(job(), arguments=parameters)
    )
    defaults = {"parameters": [{"name": "p", "default": value}]}
    assert f"default: {value!r} is not text" in faults_of(
        workflow(job(inputs=defaults))
    )


def test_a_dag_has_tasks() -> None:
    message = "dag.tasks: [] is not a list with at least one item"
    assert message in faults_of(workflow(dag("main")))
