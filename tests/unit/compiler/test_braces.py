"""Values that make a tag of Argo only together with what stands beside them."""

import re
from dataclasses import replace
from typing import Any

import pytest

from riseml.distributions import CHOICE, Distribution
from riseml.errors import InvalidInputError
from riseml.plan import Job, Resources
from tests.unit.plans import ORIGIN, compiled, grid, lines, rounds


def plan_of(run: str, *parameters: dict[str, str], env: str = "") -> Any:
    job = Job("train", (run,), Resources(), env={"TEXT": env})
    return grid(*parameters, jobs=(job,))


@pytest.mark.parametrize(
    ("run", "values", "composed"),
    [
        ("echo {{a}}{{b}}", {"a": "x{", "b": "{workflow.name}}"}, "echo x{{workflow"),
        ("echo {{a}}{{b}}", {"a": "{", "b": "{"}, "echo {{"),
        ("echo {{ a }}{{b}}{{c}}", {"a": "{", "b": "", "c": "{=1}}"}, "echo {{=1}}"),
        ("echo {{a}}{workflow.name}}", {"a": "{"}, "echo {{workflow.name}}"),
        ("echo {{a}}{{b}}", {"a": "{", "b": "{{left}}"[1:]}, "echo {{left}}"),
    ],
)
@pytest.mark.parametrize("key", ["run", "env.TEXT"])
def test_braces_that_meet_are_refused(
    run: str, values: dict[str, str], composed: str, key: str
) -> None:
    harmless = dict.fromkeys(values, "1")
    if key == "run":
        plan = plan_of(run, harmless, values)
    else:
        plan = plan_of("true", harmless, values, env=run)
    with pytest.raises(InvalidInputError) as raised:
        compiled(plan)
    assert str(raised.value).startswith(f"with its values, {key} contains '{{{{'")
    assert composed in str(raised.value)
    assert ('Write "$A"' in raised.value.advice) is (key == "run")


@pytest.mark.parametrize(
    ("run", "values"),
    [
        ("echo {{a}}{{b}}", {"a": "{", "b": "x{workflow.name}"}),
        ("echo {{a}} {{b}}", {"a": "{", "b": "{workflow.name}}"}),
        ("echo {{b}}{{a}}", {"a": "{", "b": "{workflow.name}}"}),
        ("echo {{a}}{{b}} {{other}}", {"a": "}", "b": "}"}),
    ],
)
def test_braces_that_do_not_meet_arrive_as_they_are(
    run: str, values: dict[str, str]
) -> None:
    expected = run
    for name, value in values.items():
        expected = expected.replace(f"{{{{{name}}}}}", value)
    assert lines(compiled(plan_of(run, values))) == [expected]


def test_only_values_of_one_experiment_meet() -> None:
    opening, closing = {"a": "{", "b": "1"}, {"a": "1", "b": "{workflow.name}}"}
    assert compiled(plan_of("echo {{a}}{{b}}", opening, closing))


def test_values_that_a_search_may_combine_are_checked() -> None:
    plan = rounds(4, 2)
    assert plan.rounds
    space = {
        name: Distribution(CHOICE, choices=choices)
        for name, choices in (("lr", ("1", "{")), ("opt", ("a", "{=1}}", "b")))
    }
    searched = replace(plan, rounds=replace(plan.rounds, space=space))
    assert compiled(searched)
    job = Job("train", ("fit {{lr}}{{opt}}",), Resources())
    with pytest.raises(InvalidInputError, match=re.escape("fit {{=1}}")):
        compiled(replace(searched, jobs=(job,)))


@pytest.mark.parametrize("origin", ["https://x/{{workflow.name}}.git", "https://x/{{"])
def test_the_address_of_code_is_checked(origin: str) -> None:
    addressed = replace(ORIGIN, git_url=origin)
    revised = replace(ORIGIN, git_url="https://x", revision=origin)
    for of_code in (addressed, revised):
        with pytest.raises(InvalidInputError, match=re.escape("contains '{{'")):
            compiled(grid({"a": "1"}), of_code)
