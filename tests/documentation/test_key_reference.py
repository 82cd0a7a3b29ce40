"""The reference of riseml.yml: each key has an explanation, a default and an example, which are correct."""

import copy
import re
from dataclasses import replace
from typing import Any

import key_reference
import pytest
import yaml
from key_reference import Entry

from riseml import frameworks, planner
from riseml.config import json_schema, load_text

ENTRIES = key_reference.entries()
IDS = ["-".join([entry.name, *entry.forms]) for entry in ENTRIES]
# What a key warns of that its example does not need.
HARMLESS = re.compile(
    "no command uses|no parameter|has no effect without gpus|dates from 2018"
)
LISTS = {"parameters": {"lr": [0.1, 0.01]}}
SEARCHED = {
    "parameters": {"lr": {"loguniform": [1e-5, 0.1]}},
    "results": {"val_loss": "min"},
}


def complete(entry: Entry) -> dict[str, Any]:
    """Return the example as a file with all that its key needs."""
    file = copy.deepcopy(entry.example)
    file.setdefault("project", "mnist")
    train = file.setdefault("train", {})
    train.setdefault("run", "python train.py")
    section = entry.path[1] if len(entry.path) > 1 else ""
    if frameworks.exists(section):
        train["framework"] = section
        if section in {"jax", "mpi"}:
            train["image"] = "image:1"
    if "framework" in train or train.get("search"):
        train.setdefault("results", {"val_loss": "min"})
    if section == "parameters" and entry.forms and "range" not in entry.forms:
        train["search"] = {"method": "random", "trials": 2}
        train["parameters"]["lr"] = distribution(entry)
    if section == "search" and isinstance(train["search"], dict):
        is_grid = train["search"]["method"] == "grid"
        train.update(LISTS if is_grid else SEARCHED)
        if train["search"]["method"] in {"asha", "hyperband"}:
            train["search"].setdefault("trials", 3)
            train["search"].setdefault("max_resource", 81)
        if entry.path[-1] == "mode":
            train["search"]["metric"] = "val_loss"
    return file


def distribution(entry: Entry) -> dict[str, Any]:
    """Return a distribution with the key of an entry, and the example of its word."""
    (word,) = entry.forms
    (main,) = [e for e in ENTRIES if e.path[-1] == word and e.forms == entry.forms]
    return {word: main.value.example, entry.path[-1]: entry.value.example}


def planned(file: dict[str, Any]) -> tuple[Any, ...]:
    """Return all that a file decides, without how it is written."""
    config = load_text(yaml.safe_dump(file, sort_keys=False)).config
    assert config.train is not None
    plan = planner.plan(config, seed=1)
    return config.train.image, replace(plan, config="")


def inner(file: dict[str, Any], entry: Entry) -> tuple[dict[str, Any], str]:
    """Return the mapping that contains the key of an entry, and the key."""
    *outer, key = yaml_path(entry)
    mapping = file
    for name in outer:
        mapping = mapping[name]
    return mapping, key


def yaml_path(entry: Entry) -> list[str]:
    """Return the keys of the example down to that of the entry."""
    keys = []
    mapping: Any = entry.example
    for name in entry.path:
        key = name if name in mapping else next(iter(mapping))
        keys.append(key)
        mapping = mapping[key]
    return keys


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_each_key_is_explained(entry: Entry) -> None:
    value = entry.value
    assert re.fullmatch(r"[A-Z].*[.]", value.about), value.about
    assert value.example is not None
    assert entry.is_required == (value.default is None and not value.otherwise)
    assert not value.local.endswith(".")
    assert not value.cluster.endswith(".")


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_each_example_is_valid(entry: Entry) -> None:
    loaded = load_text(yaml.safe_dump(complete(entry), sort_keys=False))
    assert not [w for w in loaded.warnings if not HARMLESS.search(w.message)]


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ENTRIES if entry.value.default is not None],
    ids=lambda entry: entry.name,
)
def test_each_default_is_what_an_absent_key_means(entry: Entry) -> None:
    file = complete(entry)
    mapping, key = inner(file, entry)
    mapping[key] = entry.value.default
    if key == "search":
        mapping.update(LISTS)
    if key == "worker":
        # An empty mapping means that the experiment is not distributed.
        mapping["ps"] = 1
    given = planned(file)
    del mapping[key]
    assert given == planned(file)


def test_every_key_of_the_json_schema_has_an_entry() -> None:
    names = {".".join(yaml_path(entry)) for entry in ENTRIES}
    missing = set(schema_names(json_schema(), ())) - names
    assert not {name for name in missing if not is_described_elsewhere(name)}


def is_described_elsewhere(name: str) -> bool:
    """Return whether this is a key of the resources of one role, which are those of `train`."""
    return re.fullmatch(r"train\.tensorflow\..*\.resources\.\w+", name) is not None


def schema_names(schema: Any, path: tuple[str, ...]) -> set[str]:
    """Return the paths of all keys of a JSON Schema, with the names of the examples."""
    names: set[str] = set()
    for form in [schema, *schema.get("anyOf", [])]:
        for key, value in form.get("properties", {}).items():
            if "-" not in key:
                names |= {".".join((*path, key)), *schema_names(value, (*path, key))}
        others = form.get("additionalProperties")
        if isinstance(others, dict) and path[-1:] != ("env",):
            key = "lr" if path[-1] == "parameters" else "loss"
            names |= schema_names(others, (*path, key))
        # Alternatives may be nested.
        if form is not schema:
            names |= schema_names({**form, "properties": {}}, path)
    return names


def test_the_page_has_a_section_and_a_row_for_each_entry() -> None:
    page = key_reference.markdown()
    for entry in ENTRIES:
        assert f"\n| [`{entry.name}`](#" in page
        assert re.search(rf"\n###? `{re.escape(entry.name)}`", page)
    anchors = re.findall(r"^\((.*)\)=$", page, re.MULTILINE)
    assert len(anchors) == len(set(anchors)) == len(ENTRIES)
    assert set(re.findall(r"\]\(#(.*?)\)", page)) == set(anchors)


def test_editors_show_the_same() -> None:
    resources = json_schema()["properties"]["train"]["properties"]["resources"]
    cpus = resources["properties"]["cpus"]
    assert cpus["default"] == 1
    assert cpus["examples"] == [4]
    assert "On one machine: a job may use more" in cpus["description"]
