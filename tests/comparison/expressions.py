"""Tables of expressions: which of them Argo accepts, and what they yield.

A hook runs if its expression is true, a task runs if its `when` is true. Both are tasks
and hooks without pods. The expressions read annotations, which are always text.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from tests.comparison.case import LEAF, Data, dag, pod, task, workflow
from tests.comparison.results import Result

ANNOTATIONS: Final = {
    "n": "5",
    "m": "10",
    "text": "v",
    "empty": "",
    "blanks": " 5 ",
    "underscore": "1_000",
    "long": "12345678901234567890",
    "negative": "-3",
    "plus": "+3",
    "fraction": "1.5",
    "exponent": "1e3",
    "hexadecimal": "0x10",
    "yes": "true",
    "infinite": "inf",
    "arabic": "\u0665",
    "dotted.name": "d",
}
_A: Final = "workflow.annotations"

HOOKS: Final = (
    f"{_A}.n == '5'",
    f"{_A}.n == 5",
    f"{_A}.n != 5",
    f"{_A}['n'] == '5'",
    'workflow["annotations"]["n"] == "5"',
    f"{_A}.none == 'x'",
    f"{_A}.none == nil",
    f"{_A}.dotted.name == 'd'",
    f"{_A}['dotted.name'] == 'd'",
    "'{{workflow.annotations.dotted.name}}' == 'd'",
    *(f"asInt({_A}.{name}) == 5" for name in ("n", "blanks", "text", "empty")),
    f"asInt({_A}.underscore) == 1000",
    f"asInt({_A}.long) > 5",
    f"asInt({_A}.negative) == -3",
    f"asInt({_A}.plus) == 3",
    f"asInt({_A}.fraction) == 1",
    f"asInt({_A}.exponent) == 1000",
    f"asInt({_A}.hexadecimal) == 16",
    f"asInt({_A}.arabic) == 5",
    f"asInt({_A}.yes) == 1",
    "asInt(true) == 1",
    "asInt(1.9) == 1",
    "asInt('5') == 5",
    "asInt(9223372036854775807) > 0",
    "asInt('9223372036854775808') > 0",
    f"int({_A}.n) + 1 == 6",
    f"asFloat({_A}.fraction) == 1.5",
    f"asFloat({_A}.n) == 5",
    f"asFloat({_A}.exponent) == 1000",
    f"asFloat({_A}.blanks) == 5",
    f"asFloat({_A}.underscore) == 1000",
    f"asFloat({_A}.infinite) > 5",
    f"asFloat({_A}.hexadecimal) == 16",
    "asFloat(true) == 1",
    "string(true) == 'true'",
    "string(5) == '5'",
    "string(1.5) == '1.5'",
    "string(10000000) == '10000000'",
    "string(1000000.5) == '1000000.5'",
    "string(123456789012) == '123456789012'",
    "string(0.00001) == '1e-05'",
    "string(-7) == '-7'",
    f"string(asInt({_A}.n)) == '5'",
    f"string({_A}.n) == '5'",
    f"{_A}.n in ['5', '6']",
    f"{_A}.n in [5, 6]",
    f"{_A}.n in ['6', 5]",
    f"asInt({_A}.n) in [5, 6]",
    f"asInt({_A}.n) in ['5']",
    f"asInt({_A}.n) in [5.0]",
    f"{_A}.n in []",
    f"{_A}.n not in ['6']",
    f"not ({_A}.n in ['6'])",
    "true in [true, false]",
    "'a' in 'abc'",
    f"{_A}.n < {_A}.m",
    f"asInt({_A}.n) < asInt({_A}.m)",
    f"{_A}.n contains '5'",
    f"{_A}.text startsWith 'v'",
    f"{_A}.text endsWith 'x'",
    f"{_A}.text matches '^v$'",
    f"{_A}.text matches '('",
    f"not ({_A}.text == 'x')",
    f"not {_A}.text == 'x'",
    f"!({_A}.text == 'x')",
    f"{_A}.text == 'v' && {_A}.n == '5'",
    f"{_A}.text == 'v' and {_A}.n == '6'",
    f"{_A}.text == 'x' || {_A}.n == '5'",
    f"{_A}.text == 'x' or {_A}.n == '5'",
    f"{_A}.text",
    f"{_A}.yes",
    "true",
    "false",
    "nil",
    "1",
    "'a' == \"a\"",
    "1 == 1.0",
    "1e3 == 1000",
    "true == 'true'",
    "true == 1",
    "1 < 2 < 3",
    "1 ==",
    "(1 == 1",
    "'a",
    "1 + 1 == 2",
    "len('abc') == 3",
    f"{_A}.text == 'v' ? true : false",
    f"{_A}.none ?? 'x' == 'x'",
    "tasks.a.status == 'Succeeded'",
    "tasks['a'].status == 'Succeeded'",
    "tasks.none.status == 'Succeeded'",
    "tasks.a.exitCode == '0'",
    "steps.a.status == 'Succeeded'",
    "workflow.status == 'Running'",
    "workflow.name == ''",
    "sprig.trim(' a ') == 'a'",
    "toJson('a') == '\"a\"'",
)

CONDITIONS: Final = (
    "true",
    "false",
    "True",
    "1 == 1",
    "1 == 1.0",
    "1 == '1'",
    "a == a",
    "a == b",
    "a == 'a'",
    "'a' == \"a\"",
    "a-b == a-b",
    "'a-b' == 'a-b'",
    "a.b == a.b",
    "a_b == a_b",
    "a in (a, b)",
    "1 < 2",
    "2 > 10",
    "'2' > '10'",
    "a < b",
    "1 < a",
    "true == true",
    "true == 'true'",
    "!true",
    "!false",
    "!!true",
    "! (1 == 2)",
    "!(1 == 2)",
    "(1 == 1)",
    "1 == 1 && 2 == 2",
    "1 == 1 || 2 == 3",
    "1 == 2 || 2 == 3",
    "1 == 1 and 2 == 2",
    "1 == 1 == true",
    "a =~ a",
    "'abc' =~ 'b'",
    "'abc' =~ '^b'",
    "'abc' !~ 'b'",
    "'abc' =~ '('",
    "'a' =~ '[[:alpha:]]'",
    "2020-01-01 == 2020-01-01",
    "'2020-01-01' < '2020-01-02'",
    "'2020-01-01T00:00:00Z' == '2020-01-01'",
    "1e3 == 1000",
    "0x10 == 16",
    "-1 == -1",
    "1 + 1 == 2",
    "'a' + 'b' == 'ab'",
    "1",
    "'a'",
    "a",
    "''",
    " ",
    "1 ==",
    "(1 == 1",
    "'a' == 'a",
    "é == é",
    "'é' == 'é'",
    "'a\\'b' == 'a\\'b'",
    "'a\nb' == 'a\nb'",
    "a b == a b",
    "{{workflow.name}} == {{workflow.name}}",
    "'{{workflow.annotations.empty}}' == ''",
    "{{workflow.annotations.empty}} == ''",
    "{{workflow.annotations.n}} == 5",
    "{{workflow.annotations.n}} < {{workflow.annotations.m}}",
    "'{{workflow.annotations.n}}' < '{{workflow.annotations.m}}'",
    "{{workflow.annotations.yes}}",
    "{{workflow.annotations.text}} == v",
    "{{workflow.annotations.dotted.name}} == d",
)


def hook_document(expression: str) -> Data:
    """Return a Workflow whose hook runs if the expression is true."""
    hook = {"template": "leaf", "expression": expression}
    main = dag(task("a", "leaf", hooks={"h": hook}))
    return workflow(main, LEAF, pod(), metadata={"annotations": ANNOTATIONS})


def condition_document(condition: str) -> Data:
    """Return a Workflow whose task runs if the condition is true."""
    main = dag(task("a", "leaf", when=condition))
    return workflow(main, LEAF, pod(), metadata={"annotations": ANNOTATIONS})


def hook_outcome(result: Result) -> Any:
    """Return whether the hook has run, or the error of its expression."""
    if "refused" in result or result["phase"] != "Succeeded":
        return result.get("refused") or result["message"]
    return "a.hooks.h" in result["nodes"]


def condition_outcome(result: Result) -> Any:
    """Return whether the task has run, or the error of its condition."""
    if "refused" in result:
        return result["refused"]
    node = result["nodes"]["a"]
    if node["phase"] == "Error":
        return node["message"]
    return bool(node["phase"] == "Succeeded")


class Table(NamedTuple):
    """Expressions, the Workflow of each, and what its result says about it."""

    texts: tuple[str, ...]
    document: Callable[[str], Data]
    outcome: Callable[[Result], Any]


TABLES: Final = {
    "hooks": Table(HOOKS, hook_document, hook_outcome),
    "conditions": Table(CONDITIONS, condition_document, condition_outcome),
}
