"""Cases about parameters and tags: arguments, defaults, outputs, substitution."""

from typing import Any, Final

from tests.comparison.case import (
    LEAF,
    Case,
    Data,
    dag,
    parameters,
    pod,
    same,
    task,
    unsupported,
    workflow,
)

_ECHO: Final = pod(
    'printf %s "$V" > $R/r',
    name="echo",
    inputs=["v"],
    outputs={"r": None},
    container={"env": [{"name": "V", "value": "{{inputs.parameters.v}}"}]},
)
_MAKE: Final = pod("printf made > $R/r", name="make", outputs={"r": None})
_SKIPPED: Final = pod(name="skipped", outputs={"r": "d {{workflow.name}}"})


def _echoed(value: str, **spec: Any) -> Data:
    """Return a Workflow whose only task outputs a value."""
    return workflow(dag(task("a", "echo", arguments={"v": value})), _ECHO, **spec)


def _after(first: Data, value: str, **fields: Any) -> Data:
    """Return a Workflow whose second task outputs a value that the first one has."""
    second = task("b", "echo", depends="a", arguments={"v": value}, **fields)
    return workflow(dag(first, second), _ECHO, _MAKE, _SKIPPED, LEAF, pod())


def _parameter(**fields: Any) -> Data:
    return workflow(pod(), arguments={"parameters": [{"name": "p", **fields}]})


def _input(**fields: Any) -> Data:
    return workflow(pod(inputs={"parameters": [{"name": "p", **fields}]}))


_TAGS: Final = {
    "name": "{{workflow.name}}",
    "spaces": "{{ workflow.name }}",
    "line-break-around": "{{\nworkflow.name\n}}",
    "line-break-inside": "{{workflow.\nname}}",
    "tab-around": "{{\tworkflow.name\t}}",
    "no-break-space": "{{\u00a0workflow.name\u2003}}",
    "unknown": "{{foo}} {{bar.x}} {{ }} {{}}",
    "unknown-lines": "{{foo\nbar}}",
    "unknown-workflow": "{{workflow.foo}}",
    "unknown-input": "{{inputs.parameters.foo}}",
    "unknown-task": "{{tasks.foo.status}}",
    "quote": '{{a"b}}',
    "backslash": "{{a\\b}}",
    "single-braces": "{workflow.name}",
    "three-braces": "{{{workflow.name}}}",
    "unclosed": "{{workflow.name",
    "unopened": "workflow.name}}",
    "two": "{{workflow.name}}-{{workflow.mainEntrypoint}}",
    "in-a-tag": "{{workflow.{{workflow.name}}}}",
    "item-without-items": "{{item}}",
    "parameter": "<{{workflow.parameters.p}}>",
    "parameter-of-tag": "{{workflow.parameters.t}}",
    "parameters-json": "{{workflow.parameters}}",
    "label": "{{workflow.labels.l}}",
    "annotation-with-dots": "{{workflow.annotations.a.b/c}}",
    "annotation-missing": "{{workflow.annotations.none}}",
    "status": "{{workflow.status}}",
    "failures": "{{workflow.failures}}",
    "duration": "{{workflow.duration}}",
    "expression": "{{=1 + 1}}",
    "capital": "{{Workflow.name}}",
}
_UNSUPPORTED_TAGS: Final = frozenset(
    {"parameters-json", "expression", "duration", "status"}
)
_VALUES: Final = {
    "lines": 'a\nb\t"c"\\ é',
    "empty": "",
    "number": "1.50",
    "json": '{"a": [1, "b"]}',
    "dollars": "$A $(A) $$",
    "unicode": "\U0001f600 \u2028 \x7f",
    "angle": "<a> & b",
    "edge-spaces": "  a  ",
}
_METADATA: Final = {"labels": {"l": "label"}, "annotations": {"a.b/c": "note"}}

CASES: dict[str, Case] = {
    **{
        f"tag-{name}": Case(
            _echoed(
                text,
                metadata=_METADATA,
                arguments=parameters(p='a\nb"c\\d', t="{{workflow.name}}"),
            ),
            "refused" if name in _UNSUPPORTED_TAGS else "same",
            "the local engine has no value for this tag",
        )
        for name, text in _TAGS.items()
    },
    **{f"value-{name}": same(_echoed(text)) for name, text in _VALUES.items()},
    "number-as-value": same(_parameter(value=1)),
    "boolean-as-value": same(_parameter(value=True)),
    "null-as-value": same(_parameter(value=None)),
    "no-value": same(_parameter()),
    "number-as-default": same(_input(default=1)),
    "number-as-input-value": same(_input(value=2)),
    "number-as-output-default": same(
        workflow(
            pod(
                outputs={
                    "parameters": [
                        {"name": "r", "valueFrom": {"path": "/x", "default": 1}}
                    ]
                }
            )
        )
    ),
    "list-as-value": same(_parameter(value=["a"])),
    "parameter-twice": same(
        workflow(
            pod(), arguments={"parameters": [*parameters(p="1")["parameters"]] * 2}
        )
    ),
    "parameter-dot": same(workflow(pod(), arguments=parameters(**{"a.b": "1"}))),
    "parameter-space": same(workflow(pod(), arguments=parameters(**{"a b": "1"}))),
    "parameter-underscore": same(workflow(pod(), arguments=parameters(a_b="1"))),
    "parameter-enum": unsupported(_parameter(value="a", enum=["a", "b"])),
    "parameter-value-from": unsupported(
        _parameter(valueFrom={"configMapKeyRef": {"name": "none", "key": "k"}})
    ),
    "input-missing": same(workflow(dag(task("a", "echo")), _ECHO)),
    "input-default": same(_input(default="d")),
    "input-value": same(_input(value="v")),
    "input-value-and-default": same(_input(value="v", default="d")),
    "input-default-tag": same(_input(default="{{workflow.name}}")),
    "argument-unknown": same(
        workflow(dag(task("a", "leaf", arguments={"none": "1"})), LEAF, pod())
    ),
    "argument-and-value": same(
        workflow(
            dag(task("a", arguments={"p": "a"})),
            pod(inputs={"parameters": [{"name": "p", "value": "v"}]}),
        )
    ),
    "arguments-null": same(workflow(pod(), arguments=None)),
    "inputs-null": same(workflow({**pod(), "inputs": None, "outputs": None})),
    "parameters-null": same(
        workflow(pod(inputs={"parameters": None}), arguments={"parameters": None})
    ),
    "metadata-null": same(workflow({**pod(), "metadata": None}, volumes=None)),
    "labels-null": same(
        workflow(pod(), metadata={"labels": None, "annotations": None})
    ),
    "labels-number": same(workflow(pod(), metadata={"labels": {"a": 1}})),
    "annotations-number": same(workflow(pod(), metadata={"annotations": {"a": 1}})),
    "task-null": same(
        workflow(
            dag(
                {**task("a", "leaf"), "arguments": None, "depends": None, "when": None}
            ),
            LEAF,
            pod(),
        )
    ),
    "output-of-task": same(
        _after(task("a", "make"), "{{tasks.a.outputs.parameters.r}}")
    ),
    "output-unknown": same(
        _after(task("a", "make"), "{{tasks.a.outputs.parameters.s}}")
    ),
    "output-of-skipped": same(
        _after(task("a", "skipped", when="false"), "{{tasks.a.outputs.parameters.r}}")
    ),
    "output-of-skipped-without-default": same(
        _after(task("a", "make", when="false"), "{{tasks.a.outputs.parameters.r}}")
    ),
    "output-in-when": same(
        _after(task("a", "make"), "x", when="{{tasks.a.outputs.parameters.r}} == made")
    ),
    "output-result": unsupported(_after(task("a"), "{{tasks.a.outputs.result}}")),
    "status-of-task": same(_after(task("a", "make"), "{{tasks.a.status}}")),
    "status-of-dag": same(_after(task("a", "leaf"), "{{tasks.a.status}}")),
    "status-of-skipped": same(
        _after(task("a", "leaf", when="false"), "{{tasks.a.status}}")
    ),
    "exit-code-of-task": same(_after(task("a", "make"), "{{tasks.a.exitCode}}")),
    "exit-code-of-dag": same(_after(task("a", "leaf"), "{{tasks.a.exitCode}}")),
    "address-of-task": same(_after(task("a", "make"), "{{tasks.a.ip}}")),
    "start-of-task": unsupported(_after(task("a", "make"), "{{tasks.a.startedAt}}")),
    "output-before-end": same(
        workflow(
            dag(
                task("a", "make"),
                task("b", "echo", arguments={"v": "{{tasks.a.outputs.parameters.r}}"}),
            ),
            _ECHO,
            _MAKE,
        )
    ),
    "item-text": same(
        workflow(
            dag(task("a", "echo", withItems=["x\ny"], arguments={"v": "{{item}}"})),
            _ECHO,
        )
    ),
    "item-map": same(
        workflow(
            dag(
                task(
                    "a",
                    "echo",
                    withItems=[{"k": 'a"\\b'}],
                    arguments={"v": "{{item.k}} {{item}}"},
                )
            ),
            _ECHO,
        )
    ),
    "item-key-missing": unsupported(
        workflow(
            dag(
                task(
                    "a",
                    "echo",
                    withItems=[{"k": "1"}, {"j": "2"}],
                    arguments={"v": "{{item.k}}"},
                )
            ),
            _ECHO,
        )
    ),
}
