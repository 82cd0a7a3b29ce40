"""Expression languages of a Workflow; Argo gives the same results."""

from typing import Any

import pytest

from riseml.engines.local.interpreter.expressions import (
    ExpressionError,
    condition,
    dependency,
    expression,
)

LAST = {
    "lastRetry.exitCode": "3",
    "lastRetry.status": "Failed",
    "lastRetry.duration": "1.5",
    "lastRetry.message": "main: Error (exit code 3)",
    "tasks.worker-1.status": "Failed",
    "tasks.a.status": "Succeeded",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a == a", True),
        ("a == 'a'", True),
        ("\"a\" == 'a'", True),
        ("a != b", True),
        ("1 == 1.0", True),
        ("'1' == 1", False),
        ("'1' != 1", True),
        ("0x10 == 16", True),
        ("-1 < 1", True),
        ("1.5 >= 1.5", True),
        ("'b' > a", True),
        ("true", True),
        ("true == 'true'", False),
        ("!(a == b)", True),
        ("!true || 2 < 3", True),
        ("a == b || a == c || a == a", True),
        ("a == a && b == c", False),
        ("a == b && b == b || c == c", True),
        ("'' == ''", True),
        ("'a b' == 'a b'", True),
        ("Succeeded == 'Succeeded'", True),
        ("grün == 'grün'", True),
        ("'abc' =~ '^a.c$'", True),
        ("'abc' !~ 'x'", True),
        (r"'a*c' =~ '\\*'", True),
        (r"'\a' == 'a'", True),
        ("'it\" == 'it'", True),
        ("'' !~ '(^|,)(3|[*])='", True),
        ("'3=2026-01-01T00:00:00Z' !~ '(^|,)(3|[*])='", False),
        ("'13=2026-01-01T00:00:00Z,4=x' !~ '(^|,)(3|[*])='", True),
        ("'1=x,*=2026-01-01T00:00:00Z' !~ '(^|,)(3|[*])='", False),
        ("'2026-01-02' > '2026-01-01T10:00:00Z'", True),
        ("'2026-13-01' == '2026-13-01'", True),
    ],
)
def test_condition(text: str, expected: bool) -> None:
    assert condition(text)({}) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends too early"),
        ("a ==", "ends too early"),
        ("a == b c", "unexpected 'c'"),
        ("(a == b", "expected '\\)', not 'the end'"),
        ("a", "neither true nor false"),
        ("foo-bar == x", "unexpected '-'"),
        ("a = b", "unexpected '='"),
        ("a &&! b", "unexpected '&&!'"),
        ("! !true", "two !"),
        ("a == 1.2.3", "not a number"),
        ("x.y == 1", "needs quotes"),
        ("a in ('a', 'b')", "unexpected 'in'"),
        ("a + b == ab", "unexpected"),
        ("a ? b : c", "unexpected"),
        ("1 =~ '1'", "cannot take a number"),
        ("true < false", "cannot take a truth value"),
        ("a < 1", "cannot compare text with a number"),
        ("'a' =~ '('", "pattern"),
        ("'a' =~ '(?=x)'", "Argo's patterns"),
        (r"'aa' =~ '(a)\\1'", "Argo's patterns"),
        ("a == b == c", "two comparisons"),
        ("'unclosed", "cannot read"),
    ],
)
def test_an_unsupported_condition_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        condition(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('tasks["worker-1"].status == "Failed"', True),
        ("tasks['worker-1'].status == 'Error' || tasks.a.status == 'Error'", False),
        ('tasks["a"]["status"] in ["Succeeded", "Skipped"]', True),
        ("not (lastRetry.status in ['Error'])", True),
        ("lastRetry.exitCode == '3' and lastRetry.status != 'Error'", True),
        ("asInt(lastRetry.exitCode) > 2 && asFloat(lastRetry.duration) < 2", True),
        ("int(lastRetry.exitCode) == 3", True),
        ("string(3) == lastRetry.exitCode", True),
        ("lastRetry.message contains 'exit code'", True),
        ("lastRetry.message matches '[Ee]xit|OOM'", True),
        ("lastRetry.message startsWith 'main' && lastRetry.message endsWith ')'", True),
        ("!(lastRetry.status == 'Failed') || false", False),
        (r"'a\'b' == 'a' || 'a\\b' matches 'a.b'", True),
        ("2 >= 1.5e0 && -1 < 0", True),
        ("true", True),
    ],
)
def test_expression(text: str, expected: bool) -> None:
    assert expression(text)(LAST) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lastRetry.exitCode", "neither true nor false"),
        ("lastRetry.exitCode == 3", "cannot compare text with a number"),
        ("lastRetry.exitCode + 1 == 4", "cannot read"),
        ("lastRetry?.exitCode == '3'", "cannot read"),
        ("a ?? b", "cannot read"),
        ("sprig.int(a) == 1", "function sprig.int"),
        ("any(tasks, {# == 1})", "function any"),
        (r"'\d' == 'd'", "unknown escape"),
        ("lastRetry.status in 'Failed'", "cannot take text"),
        ("lastRetry.status in [lastRetry.status]", "constants"),
        ("lastRetry.message matches '('", "pattern"),
        ("not lastRetry.status == 'x'", "cannot take text"),
        ("nil == nil", "cannot use 'nil'"),
        ("true == ", "too early"),
    ],
)
def test_an_unsupported_expression_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        expression(text)


@pytest.mark.parametrize(
    ("text", "scope", "reason"),
    [
        ("asInt(lastRetry.message) == 3", LAST, "asInt cannot take"),
        ("lastRetry.status < 'x'", {}, "a value is missing"),
        (
            "lastRetry.message matches lastRetry.status",
            {**LAST, "lastRetry.status": "("},
            "pattern",
        ),
        ("3 in ['1', '2']", {}, "a value is missing"),
        (
            "asInt(lastRetry.exitCode) == 5",
            {"lastRetry.exitCode": " 5"},
            "asInt cannot",
        ),
    ],
)
def test_some_errors_appear_only_at_evaluation(
    text: str, scope: dict[str, str], reason: str
) -> None:
    with pytest.raises(ExpressionError, match=reason):
        expression(text)(scope)


def test_names_of_an_expression() -> None:
    parsed = expression(
        'tasks["worker-1"].status == "Failed" || lastRetry.exitCode == "1"'
    )
    assert parsed.names == {"tasks.worker-1.status", "lastRetry.exitCode"}


@pytest.mark.parametrize(
    ("text", "scope", "expected"),
    [
        ("a", {"a.Succeeded"}, True),
        ("a", {"a.Skipped"}, True),
        ("a", {"a.Daemoned"}, True),
        ("a", {"a.Failed"}, False),
        ("a && b-c.Failed", {"a.Succeeded", "b-c.Failed"}, True),
        (
            "!a.Succeeded || (b && c.Omitted)",
            {"a.Succeeded", "b.Skipped", "c.Omitted"},
            True,
        ),
        ("a.AnySucceeded && !a.AllFailed", {"a.AnySucceeded"}, True),
        ("a.Errored", set[str](), False),
    ],
)
def test_dependency(text: str, scope: set[str], expected: bool) -> None:
    parsed = dependency(text)
    values: dict[str, Any] = {name: name in scope for name in parsed.names}
    assert parsed(values) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.Finished", "not a result"),
        ("a &", "cannot read"),
        ("a b", "unexpected"),
        ("a == b", "cannot read"),
        ("()", "use '\\)'"),
    ],
)
def test_an_unsupported_dependency_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        dependency(text)
