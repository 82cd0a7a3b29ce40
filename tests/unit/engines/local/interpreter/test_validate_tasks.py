"""Validation of the tasks of a DAG."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.validate import check
from tests.unit.engines.local.interpreter.faults import faults_of
from tests.unit.workflows import dag, deletion, gang, job, task, workflow


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (
            [task("a", "nope")],
            "spec.templates[main].dag.tasks[a].template: there is no template 'nope'",
        ),
        (
            [task("a"), task("a")],
            "spec.templates[main].dag.tasks[a]: the name appears 2 times",
        ),
        ([task("a", depends="b")], "tasks[a].depends: there is no task 'b'"),
        ([task("a", depends="b"), task("b", depends="a")], "tasks: a needs b needs a"),
        ([task("a", depends="a")], "tasks: a needs a"),
        ([task("a"), task("b", depends="a.Done")], "Done is not a result of a task"),
        (
            [task("a"), task("b", depends="a", dependencies=["a"])],
            "a task has either `depends` or `dependencies`",
        ),
        ([task("a b")], "is not a name of letters, digits and hyphens"),
        ([task("a", when="{{x}} == 'a")], "tasks[a].when: "),
        ([task("a", when="{{item}} == 1")], ""),
        ([task("a", when="{{workflow.name}} > 2 && {{workflow.uid}}")], ""),
        (
            [task("a", when="'{{workflow.name}}' > 2")],
            "cannot compare text with a number",
        ),
        ([task("a", when="{{item.x}} == 1")], "{{item.x}} has no value here"),
        ([task("a", "taker")], "tasks[a].arguments: template 'taker' needs 'p'"),
        (
            [task("a", "taker", arguments={"p": None})],
            "parameters[p].value: None is not text",
        ),
        (
            [
                task(
                    "a",
                    "taker",
                    arguments={"p": "{{item.x}}"},
                    withItems=[{"x": "1"}, {"y": "1"}],
                )
            ],
            "{{item.x}} has no value",
        ),
        (
            [task("a", "taker", arguments={"p": "{{tasks.b.status}}"}), task("b")],
            "{{tasks.b.status}} has no value",
        ),
        (
            [
                task("a", "taker", arguments={"p": "{{tasks.b.status}}"}, depends="c"),
                task("b"),
                task("c", depends="b"),
            ],
            "",
        ),
        (
            [
                task(
                    "a",
                    "taker",
                    arguments={"p": "{{tasks.b.outputs.parameters.r}}"},
                    depends="b",
                ),
                task("b"),
            ],
            "{{tasks.b.outputs.parameters.r}} has no value",
        ),
        ([task("a", withItems=[])], "tasks[a].withItems: [] is not a list of items"),
        (
            [task("a", withItems=[0.5])],
            "tasks[a].withItems[0]: 0.5 is not text or a map",
        ),
        ([task("a", withItems=[["x"]])], "withItems[0]: ['x'] is not text or a map"),
        ([task("a", withItems=[{"x": 1e-6}])], "withItems[0][x]: 1e-06 is not text"),
        (
            [task("a", "daemon", withItems=["x"])],
            "tasks[a]: the local engine runs daemons of single tasks only",
        ),
        (
            [task("a", withSequence={"count": "3"})],
            "tasks[a].withSequence: the local engine expands withItems and withParam only",
        ),
        (
            [task("a", withParam="{{tasks.b.outputs.parameters.p}}"), task("b")],
            "tasks[a].withParam: {{tasks.b.outputs.parameters.p}} has no value here",
        ),
        (
            [task("a", withParam="[]", withItems=["x"])],
            "tasks[a].withParam: a task has either withItems or withParam",
        ),
        (
            [task("a", "taker", withParam="[]", arguments={"p": "{{item.x}}"})],
            "",
        ),
        ([task("a", continueOn={"failed": True})], "tasks[a].continueOn: "),
        (
            [task("a", onExit="x")],
            "tasks[a].onExit: the local engine does not run exit handlers",
        ),
        (
            [task("a", inline={"container": {"image": "x"}})],
            "tasks[a].inline: the local engine runs named templates only",
        ),
        (
            [task("a", hooks={"exit": {"template": "end", "expression": "true"}})],
            "hooks[exit]: the local engine does not run exit",
        ),
        (
            [task("a", hooks={"h": {"template": "end"}})],
            "hooks][h]: expression is missing",
        ),
        (
            [task("a", hooks={"h": {"template": "end", "expression": "true"}})],
            "hooks[h].arguments: template 'end' needs 'gang'",
        ),
        (
            [
                task(
                    "a",
                    withItems=["x"],
                    hooks={"h": {"template": "end", "expression": "true"}},
                )
            ],
            "hooks[h]: the local engine supports hooks of single tasks only",
        ),
        (
            [task("a", hooks={"h": {"template": "job", "expression": "true"}})],
            "hooks[h].template: the local engine runs only deletions of pods",
        ),
        (
            [task("a", hooks={"h": {"template": "no", "expression": "true"}})],
            "hooks[h].template: there is no template 'no'",
        ),
        (
            [
                task(
                    "a",
                    hooks={
                        "h": {
                            "template": "end",
                            "expression": "tasks['b'].status == 'x'",
                        }
                    },
                ),
                task("b"),
            ],
            "hooks[h].expression: 'tasks.b.status' has no value here",
        ),
        ([task("a", "main")], "spec.templates: main calls main"),
    ],
)
def test_faults_of_tasks(tasks: list[dict[str, Any]], message: str) -> None:
    document = workflow(
        dag("main", *tasks),
        job(),
        job("taker", inputs=["p"]),
        job("daemon", daemon=True),
        deletion(),
    )
    if message:
        assert message.replace("hooks][", "hooks[") in faults_of(document)
    else:
        check(document)


def test_a_template_with_fail_fast_may_contain_jobs_only() -> None:
    inner = dag("inner", task("x"))
    assert "failFast, Argo would abandon its pods" in faults_of(
        workflow(dag("main", task("a", "inner"), failFast=True), inner, job())
    )


def test_hooks_are_refused_with_parallelism() -> None:
    document = gang("a", "b")
    document["spec"]["templates"][0]["parallelism"] = 3
    assert "dag.tasks[a].hooks: a hook that gets no slot" in faults_of(document)


def test_a_cycle_is_found_in_a_long_chain() -> None:
    tasks = [task(f"t{i}", depends=f"t{i + 1}") for i in range(3000)]
    check(workflow(dag("main", *tasks, task("t3000")), job()))
    assert "t0 needs t1" in faults_of(
        workflow(dag("main", *tasks, task("t3000", depends="t0")), job())
    )
