"""riseml.yml as data, and its JSON Schema: shared by the table and the property tests."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.config import Loaded, json_schema, load_text
from riseml.errors import ConfigError, Fault
from riseml.plan import Job
from riseml.planner import plan
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import BOOL, FLOAT, INT, NULL

# Faults that a JSON Schema cannot express, by words of their messages.
BEYOND_SCHEMA = (
    "a whole number of at least",  # 1.0 is an integer to JSON Schema
    "has no image of its own",
    "is declared",  # a placeholder that is similar to a parameter
    "cannot have both 'distributed' and 'horovod'",
    "duplicate key",  # of the same key with a dash and with an underscore
    "is more than",  # the order of a range
    " has at most ",  # values of a range, experiments of a set
    "cannot be used together",  # a parameter, and another one that looks like a key of it
    "would both be $",
    "is reserved",  # reserved variables
    "cannot be a parameter",
    "cannot contain",  # two keys that want the same variable
    "Argo would replace",
    "'{{' without '}}'",
    "hides a placeholder",
    "contains the control character",  # in texts with a pattern of their own
    "cores of at least 0.01",  # as text: 5m
    "a number of megabytes of at least 0.01",  # as text: 1k
    "a duration of at least 1s",  # 0s, and 1.0
    "is not a regular expression",
    " has no group for the value",
    " groups, and the value can only be in one",
    " is empty",  # a value that was left out, which is null as data
    "has no JSON form",  # infinities in a list
    "contains '{{'",  # deep in a list
    "experiment",  # experiments that differ in their parameters
)


OLD = re.compile(
    "no longer has an effect|has no effect without tensorflow.distributed"
)  # warnings of old dialects


def load_with_faults(text: str) -> tuple[Loaded | None, tuple[Fault, ...]]:
    """Return what was loaded, if anything, and every fault."""
    try:
        loaded = load_text(text)
    except ConfigError as error:
        return None, error.faults
    return loaded, loaded.warnings


def faults_of(text: str) -> tuple[Fault, ...]:
    """Return the faults of a file that is refused."""
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return caught.value.faults


def jobs_of(train: str) -> dict[str, Job]:
    """Return the jobs of an experiment by type; `train` are further keys of the section."""
    text = f"project: ab\ntrain: {{resources: {{cpus: 2}}, run: [one, two], {train}}}\n"
    return {job.type: job for job in plan(load_text(text)).jobs}


def data_of(text: str) -> Any:
    """Return the text as JSON data, by YAML's core schema."""
    root = Document("riseml.yml", text).root()
    return None if root is None else _data(root)


def _data(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {str(_data(key)): _data(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_data(item) for item in node.value]
    assert isinstance(node, ScalarNode)
    text: str = node.value
    if node.tag == INT:
        return int(text, 0 if text[:2] in ("0x", "0o") else 10)
    if node.tag == FLOAT:
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    return {NULL: None, BOOL: text.lower() == "true"}.get(node.tag, text)


def schema_errors(data: Any) -> list[str]:
    """Return the errors that the JSON Schema finds in the data."""
    return [error.message for error in _validator().iter_errors(data)]


def disagreement(text: str, data: Any) -> str:
    """Return how loader and schema disagree about a file; an empty text if they agree."""
    return schema_disagreement(load_with_faults(text)[1], data)


def schema_disagreement(faults: Iterable[Fault], data: Any) -> str:
    """Return how the loader's faults and the schema disagree; empty if they agree.

    The loader accepts files of old dialects with a note, the schema does not.
    """
    refused = [fault.message for fault in faults if fault.severity == "error"]
    if errors := schema_errors(data):
        is_old = any(
            fault.severity == "note" or OLD.search(fault.message) for fault in faults
        )
        return "" if refused or is_old else f"only the schema refuses it: {errors}"
    unexplained = [
        message
        for message in refused
        if not any(words in message for words in BEYOND_SCHEMA)
    ]
    return f"only the loader refuses it: {unexplained}" if unexplained else ""


@cache
def _validator() -> Any:
    validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    return validator(json_schema())


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    """Match `$` as JSON Schema does: only at the end, in Python also before a last line feed."""
    if isinstance(instance, str) and not re.search(
        pattern.removesuffix("$") + r"\Z", instance
    ):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")
