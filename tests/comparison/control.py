"""Cases about the order of tasks: depends, when, retries, items, names."""

from typing import Any, Final

from tests.comparison.case import (
    LEAF,
    Case,
    Data,
    dag,
    pod,
    same,
    task,
    unsupported,
    workflow,
)

_FAIL: Final = pod("exit 1", name="fail")


def _leaves(*tasks: Data, **fields: Any) -> Data:
    """Return a Workflow whose tasks need no pod."""
    return workflow(dag(*tasks, **fields), LEAF, pod())


def _leaf(name: str, **fields: Any) -> Data:
    return task(name, "leaf", **fields)


def _after_failure(depends: str, **fields: Any) -> Data:
    main = dag(task("a", "fail"), _leaf("b", depends=depends), **fields)
    return workflow(main, _FAIL, LEAF, pod())


def _retry(script: str, **strategy: Any) -> Data:
    return workflow(pod(script, retryStrategy=strategy))


_WORDS: Final = (
    "in", "and", "or", "not", "let", "matches", "contains", "startsWith", "endsWith",
    "nil", "true", "false", "if", "else", "none", "all", "len", "map", "int", "now",
    "item", "tasks", "workflow", "a-b", "A", "Succeeded",
)  # fmt: skip
_RESERVED: Final = frozenset(_WORDS[:14])
_RESULTS: Final = (
    "Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded",
    "AllFailed",
)  # fmt: skip
_DEPENDS: Final = {
    "not": "!a.Failed",
    "not-not": "!!a.Failed",
    "or": "a.Succeeded || a.Failed",
    "and": "a.Failed && !a.Succeeded",
    "parentheses": "(a.Failed)",
    "no-spaces": "a.Failed&&!a.Errored",
    "twice": "a || a.Failed",
}
_MALFORMED_DEPENDS: Final = {
    "unknown-task": "none",
    "unknown-result": "a.Done",
    "lower-case": "a.failed",
    "itself": "b",
}
_UNREADABLE_DEPENDS: Final = {"open": "(a", "operator": "a &&", "comma": "a, a"}
_ITEMS: Final[dict[str, list[Any]]] = {
    "texts": ["a", "b c", "d(e)", "é"],
    "numbers": [1, -2, 10000000],
    "maps": [{"x": "1", "y": 'a"b'}, {"x": "2", "y": "\\"}],
    "map-of-numbers": [{"x": 1}],
    "empty-text": [""],
    "json-text": ['{"a": 1}'],
    "same": ["a", "a"],
    "lines": ["a\nb"],
}

CASES: dict[str, Case] = {
    **{
        f"task-named-{word.lower()}": Case(
            _leaves(_leaf(word), _leaf("z", depends=word)),
            "refused" if word in _RESERVED else "same",
            "Argo fails the second task, because it cannot read its `depends`",
        )
        for word in _WORDS
    },
    **{
        f"after-failure-{result.lower()}": same(_after_failure(f"a.{result}"))
        for result in _RESULTS
    },
    **{
        f"depends-{name}": same(_after_failure(text)) for name, text in _DEPENDS.items()
    },
    **{
        f"depends-{name}": same(_leaves(_leaf("a"), _leaf("b", depends=text)))
        for name, text in _MALFORMED_DEPENDS.items()
    },
    **{
        f"depends-{name}": unsupported(
            _leaves(_leaf("a"), _leaf("b", depends=text)),
            "Argo fails the task when it reads its `depends`",
        )
        for name, text in _UNREADABLE_DEPENDS.items()
    },
    "dependencies": same(_leaves(_leaf("a"), _leaf("b", dependencies=["a"]))),
    "dependencies-and-depends": same(
        _leaves(_leaf("a"), _leaf("b", dependencies=["a"], depends="a"))
    ),
    "depends-skipped": same(_leaves(_leaf("a", when="false"), _leaf("b", depends="a"))),
    "depends-omitted": same(
        _leaves(
            _leaf("a"), _leaf("b", depends="a.Failed"), _leaf("c", depends="b.Omitted")
        )
    ),
    "depends-omitted-plain": same(
        _leaves(_leaf("a"), _leaf("b", depends="a.Failed"), _leaf("c", depends="b"))
    ),
    "cycle": same(_leaves(_leaf("a", depends="b"), _leaf("b", depends="a"))),
    "digit-first": same(_leaves(_leaf("1a"))),
    "digit-first-with-needs": same(_leaves(_leaf("a"), _leaf("1b", depends="a"))),
    "digit-first-needed": same(_leaves(_leaf("1a"), _leaf("b", depends="1a"))),
    "digits-needed": same(_leaves(_leaf("12"), _leaf("b", depends="12.Succeeded"))),
    "number-needed": same(_leaves(_leaf("1e5"), _leaf("b", depends="1e5"))),
    "task-underscore": same(_leaves(_leaf("a_b"))),
    "task-dot": same(_leaves(_leaf("a.b"))),
    "task-long": same(_leaves(_leaf("t" * 129))),
    "task-twice": same(_leaves(_leaf("a"), _leaf("a"))),
    "template-twice": same(workflow(dag(_leaf("a")), LEAF, LEAF, pod())),
    "template-unknown": same(_leaves(task("a", "none"))),
    "template-underscore": same(
        workflow(dag(task("a", "le_af")), {**LEAF, "name": "le_af"}, pod())
    ),
    "template-long": same(
        workflow(dag(task("a", "l" * 129)), {**LEAF, "name": "l" * 129}, pod())
    ),
    "template-capital-dag": same(
        workflow(dag(task("a", "Leaf")), {**LEAF, "name": "Leaf"}, pod())
    ),
    "template-capital-pod": unsupported(
        workflow(dag(task("a", "Pod")), pod(name="Pod")),
        "Kubernetes refuses the name of the pod, and the task fails",
    ),
    "entrypoint-capital-pod": unsupported(
        workflow(pod(name="Pod")), "with a retryStrategy, Kubernetes would refuse it"
    ),
    "entrypoint-unknown": same(workflow(pod(), entrypoint="none")),
    "entrypoint-empty": same(workflow(pod(), entrypoint="")),
    "tasks-empty": same(workflow(dag())),
    "tasks-null": same(workflow({"name": "main", "dag": {"tasks": None}})),
    "fail-fast": same(
        workflow(
            dag(task("a", "fail"), task("b", "slow"), task("c", depends="b")),
            _FAIL,
            pod("sleep 6", name="slow"),
            pod(),
        )
    ),
    "fail-fast-off": same(
        workflow(
            dag(
                task("a", "fail"),
                task("b", "slow"),
                task("c", depends="b"),
                fail_fast=False,
            ),
            _FAIL,
            pod("sleep 6", name="slow"),
            pod(),
        )
    ),
    "failure-in-the-middle": same(
        workflow(
            dag(task("a", "fail"), _leaf("b", depends="a"), fail_fast=False),
            _FAIL,
            LEAF,
            pod(),
        )
    ),
    "failure-handled": same(_after_failure("a.Failed", fail_fast=False)),
    "nested": same(
        workflow(
            dag(task("a", "inner"), _leaf("b", depends="a.Failed")),
            dag(task("x", "fail"), name="inner"),
            _FAIL,
            LEAF,
            pod(),
        )
    ),
    "recursion": unsupported(
        workflow(dag(task("a", "main", when="false"))), "otherwise it would never end"
    ),
    "parallelism": same(
        workflow(dag(task("a"), task("b"), task("c"), parallelism=1), pod())
    ),
    "retry-succeeds": same(_retry("[ {{retries}} = 1 ]", limit="2")),
    "retry-exhausted": same(_retry("exit 4", limit="1")),
    "retry-limit-0": same(_retry("exit 4", limit="0")),
    "retry-limit-number": same(_retry("exit 4", limit=1)),
    "retry-on-error": same(_retry("exit 4", limit="1", retryPolicy="OnError")),
    "retry-always": same(_retry("exit 4", limit="1", retryPolicy="Always")),
    "retry-expression": same(
        _retry(
            "[ {{retries}} = 1 ] || exit 3",
            limit="3",
            expression="asInt(lastRetry.exitCode) == 3",
        )
    ),
    "retry-expression-false": same(
        _retry("exit 4", limit="3", expression="asInt(lastRetry.exitCode) == 3")
    ),
    "retry-expression-status": same(
        _retry("exit 4", limit="1", expression="lastRetry.status == 'Failed'")
    ),
    "retry-expression-tag": unsupported(
        _retry("exit 4", limit="3", expression="'{{lastRetry.exitCode}}' == '4'")
    ),
    "retry-backoff": same(
        _retry("exit 4", limit="1", backoff={"duration": "1", "factor": 2})
    ),
    "retry-policy-unknown": same(_retry("exit 4", limit="1", retryPolicy="No")),
    "retry-last-tags": same(
        workflow(
            pod(
                "echo '{{lastRetry.exitCode}} {{lastRetry.status}} {{retries}}' > $R/r; "
                "[ {{retries}} = 1 ]",
                outputs={"r": None},
                retryStrategy={"limit": "2"},
            )
        )
    ),
    "retry-of-dag": same(
        workflow(dag(task("a", "fail"), retryStrategy={"limit": "1"}), _FAIL)
    ),
    "retry-after-deletion": same(
        workflow(
            dag(
                task("a", "target"),
                task("w", "wait"),
                task("k", "delete", depends="w"),
            ),
            pod(
                "echo '{{lastRetry.exitCode}} {{lastRetry.status}}' > $R/r; "
                "[ {{retries}} != 0 ] || sleep 60",
                name="target",
                outputs={"r": "none"},
                retryStrategy={"limit": "1", "retryPolicy": "Always"},
                metadata={"labels": {"riseml.test/target": "{{workflow.name}}"}},
            ),
            pod("sleep 4", name="wait"),
            {
                "name": "delete",
                "resource": {
                    "action": "delete",
                    "flags": [
                        "pods",
                        "--selector",
                        "riseml.test/target={{workflow.name}}",
                        "--wait=false",
                    ],
                },
            },
        )
    ),
    **{
        f"items-{name}": same(
            _leaves(_leaf("a", withItems=items), _leaf("b", depends="a.AnySucceeded"))
        )
        for name, items in _ITEMS.items()
    },
    "items-booleans": unsupported(_leaves(_leaf("a", withItems=[True]))),
    "items-lists": unsupported(_leaves(_leaf("a", withItems=[["x"]]))),
    "items-null": unsupported(_leaves(_leaf("a", withItems=[None]))),
    "items-fractions": unsupported(_leaves(_leaf("a", withItems=[0.5, 1e-6]))),
    "items-empty": unsupported(_leaves(_leaf("a", withItems=[]))),
    "items-some-fail": same(
        workflow(
            dag(
                task("a", "some", withItems=["0", "1"], arguments={"v": "{{item}}"}),
                _leaf("b", depends="a.AnySucceeded && !a.AllFailed"),
                fail_fast=False,
            ),
            pod("exit {{inputs.parameters.v}}", name="some", inputs=["v"]),
            LEAF,
            pod(),
        )
    ),
    "items-when": same(_leaves(_leaf("a", withItems=["x", "y"], when="{{item}} == x"))),
    "with-param": same(_leaves(_leaf("a", withParam='["x", "y"]'))),
    "with-sequence": unsupported(_leaves(_leaf("a", withSequence={"count": "2"}))),
    "shutdown-terminate": same(
        workflow(dag(task("a"), task("b", depends="a")), pod(), shutdown="Terminate")
    ),
    "shutdown-stop-pod": same(workflow(pod(), shutdown="Stop")),
    "shutdown-stop-retry": same(
        workflow(pod(retryStrategy={"limit": "1"}), shutdown="Stop")
    ),
    "shutdown-empty": same(workflow(pod(), shutdown="")),
    "shutdown-unknown": unsupported(workflow(pod(), shutdown="Foo")),
    "stopped-dag": same(
        workflow(dag(task("a"), task("b", depends="a")), pod("sleep 100")),
        stop=True,
    ),
}
