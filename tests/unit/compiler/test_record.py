"""riseml-configuration.yml: for all values it loads as YAML 1.2 and contains what the user wrote."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.compiler.unprintable import is_unprintable
from riseml.errors import InvalidInputError
from riseml.plan import ExperimentSet, Job, Resources
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import BOOL, NULL, decimal_of
from tests.unit.plans import (
    ORIGIN,
    REVISION,
    compiled,
    env,
    grid,
    received,
    single,
    task,
    template,
)

RUN = ("python fit.py --lr {{lr}}", "cat <<EOF\n$(HOME) it's\nEOF")


def _record(plan: ExperimentSet, position: int = 0) -> dict[str, Any]:
    document = compiled(plan)
    text = env(template(document, "train")["container"])["RISEML_CONFIGURATION"]
    root = Document(
        "riseml-configuration.yml", received(document, position, text) + "\n"
    ).root()
    loaded: dict[str, Any] = _value(root)
    return loaded


def _value(node: Node | None) -> Any:
    """Return the value of a node, with scalars as text."""
    if isinstance(node, MappingNode):
        return {_value(key): _value(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_value(item) for item in node.value]
    assert isinstance(node, ScalarNode)
    return node.value


def test_the_complete_record() -> None:
    resources = Resources(cpus=Decimal("0.5"), mem=512_000_000)
    plan = single(
        RUN, framework="tensorflow", install=("pip install x",), job_resources=resources
    )
    assert _record(plan) == {
        "project": "mnist",
        "experiment": "14",
        "revision": REVISION,
        "image": {"name": "python:3.12", "install": ["pip install x"]},
        "framework": "tensorflow",
        "resources": {"cpus": "0.5", "mem": "512", "gpus": "0"},
        "run": list(RUN),
    }


def test_an_experiment_of_a_set_records_its_own_values() -> None:
    record = _record(
        grid(
            {"depth": "3", "lr": "1e-6"}, {"depth": "4", "lr": "1.0e-6"}, concurrency=2
        ),
        1,
    )
    assert record["experiment"] == "14.2"
    assert record["params"] == {"depth": "4", "lr": "1.0e-6"}


def test_jobs_of_several_types_have_separate_entries() -> None:
    jobs = (
        Job("master", RUN, Resources()),
        Job("worker", RUN, Resources(gpus=1), count=3),
    )
    plan = single(jobs=jobs)
    document = compiled(plan)
    text = env(template(document, "master")["container"])["RISEML_CONFIGURATION"]
    record = _value(Document("", received(document, 0, text)).root())
    assert {kind: job["count"] for kind, job in record["jobs"].items()} == {
        "master": "1",
        "worker": "3",
    }
    assert record["jobs"]["worker"]["resources"]["gpus"] == "1"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (["1e-6", "0.10", "-3", "+.5e+3", "5."], "lr: {}"),
        (["adam", "conv2d", "a/b.c_d-e", "true"], "lr: {}"),
        (["no", "adam"], "lr: '{}'"),
        (["010", "1"], "lr: '{}'"),
        (["2018-05-09"], "lr: '{}'"),
        (["", "null"], "lr: '{}'"),
        (["a b", "# x: y", '"quoted"', "\\d", "{}", "$HOME"], "lr: '{}'"),
        (["it's"], 'lr: "{}"'),
        (["it's", "plain", "1"], 'lr: "{}"'),
    ],
)
def test_quoting_suits_all_values_of_a_parameter(values: list[str], line: str) -> None:
    document = compiled(grid(*[{"lr": value} for value in values]))
    text = env(template(document, "train")["container"])["RISEML_CONFIGURATION"]
    assert f"  {line.format('{{inputs.parameters.lr}}')}\n" in text
    assert "riseml-quoted-lr" not in task(document, "experiment")["withItems"][0]


@pytest.mark.parametrize(
    "value",
    ['it\'s "both"', "two\nlines", "tab\t", "it's \\", "\u00e4\u2028\x85\U0001f600"],
)
def test_values_that_need_different_quoting_are_quoted_one_by_one(value: str) -> None:
    plan = grid({"lr": value}, {"lr": "1"})
    assert [_record(plan, n)["params"]["lr"] for n in (0, 1)] == [value, "1"]
    assert "riseml-quoted-lr" in task(compiled(plan), "experiment")["withItems"][0]


texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Cf"]), max_size=12
).filter(lambda text: "{{" not in text and not any(map(is_unprintable, text)))


@pytest.mark.parametrize(
    "value", ["bell\a", "delete\x7f", "private \U000f0000", "new \U0001fae9"]
)
def test_characters_that_argo_breaks_are_refused(value: str) -> None:
    with pytest.raises(InvalidInputError, match="Argo cannot pass on"):
        compiled(grid({"text": value}))


@given(
    st.lists(texts, min_size=1, max_size=3),
    st.from_regex(r"[A-Za-z][\w-]{0,6}", fullmatch=True),
)
def test_any_values_are_recorded_exactly(values: list[str], name: str) -> None:
    plan = grid(
        *[{name: value} for value in values],
        jobs=(Job("train", (f"echo {{{{{name}}}}}",), Resources()),),
    )
    for position, value in enumerate(values):
        assert _record(plan, position)["params"] == {name: value}


@pytest.mark.parametrize("text", ["1e-6", "0.10", "5.", ".5", "1E3"])
def test_numbers_are_recorded_as_numbers(text: str) -> None:
    assert decimal_of(text) is not None
    document = compiled(grid({"lr": text}))
    written = env(template(document, "train")["container"])["RISEML_CONFIGURATION"]
    root = Document("", received(document, 0, written)).root()
    assert isinstance(root, MappingNode)
    (params,) = [value for key, value in root.value if key.value == "params"]
    assert params.value[0][1].tag not in {BOOL, NULL, "tag:yaml.org,2002:str"}


def test_a_record_without_a_huge_command_lets_the_job_start() -> None:
    record = _record(single(("echo " + "x" * 120_000,)))
    assert "run" not in record
    assert record["project"] == "mnist"
    assert ORIGIN.revision == record["revision"]


def test_a_record_without_huge_parameters_lets_the_job_start() -> None:
    values = {"a": "x" * 90_000, "b": "y" * 90_000}
    record = _record(grid(values, {**values, "b": "z"}))
    assert "params" not in record
    assert record["experiment"] == "14.1"
