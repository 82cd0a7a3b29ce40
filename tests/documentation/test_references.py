"""References of commands, the Python API, settings and exit codes: each has an entry and an explanation."""

import inspect
import re
from dataclasses import fields

import api_reference
import command_reference
import exit_code_reference
import pytest
import settings_reference
from command_reference import Entry

import riseml
from riseml import settings
from riseml.cli import COMMANDS, failure, load, outcome
from riseml.cli.app import build
from riseml.settings import Settings
from tests.documentation.pages import ROOT

ENTRIES = command_reference.entries()
BY_NAME = {entry.name: entry for entry in ENTRIES}
SENTENCE = re.compile(r"[A-Z`a-z].*[.]", re.DOTALL)


def test_every_command_has_an_entry() -> None:
    names = set()
    for word in COMMANDS:
        group = getattr(load(word), "COMMANDS", {"": None})
        names |= {f"riseml {word} {second}".strip() for second in group}
    assert set(BY_NAME) == names


@pytest.mark.parametrize("entry", ENTRIES, ids=BY_NAME)
def test_every_argument_and_option_is_explained(entry: Entry) -> None:
    assert SENTENCE.fullmatch(entry.paragraphs[0])
    names = inspect.signature(entry.function).parameters
    assert entry.parameters.keys() == names.keys()
    for parameter in entry.parameters.values():
        assert " " in command_reference.help_of(parameter)


@pytest.mark.parametrize("entry", ENTRIES, ids=BY_NAME)
def test_the_page_has_what_the_help_has(entry: Entry) -> None:
    section = section_of(entry)
    if "The same as [" in section:
        return
    for parameter in build(entry.name, entry.function).params:
        for spelling in (*parameter.opts, *parameter.secondary_opts):
            is_option = spelling.startswith("-")
            assert not is_option or f"`{spelling}`" in section
    for line in entry.blocks.get("Example", "").splitlines():
        assert line.split("   ")[0].strip() in section


def section_of(entry: Entry) -> str:
    page = command_reference.markdown()
    (section,) = re.findall(
        rf"^## `{entry.name}`\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE
    )
    return str(section)


def test_options_say_their_values_and_defaults() -> None:
    section = section_of(BY_NAME["riseml train"])
    assert (
        "| `-f`, `--config-file` `FILE` | The configuration to use. | `riseml.yml` |"
        in section
    )
    assert (
        "| `-l`, `--logs` | Follow the log; the exit status is the outcome. |  |"
        in section
    )
    assert "riseml train [OPTIONS] [NAME=VALUE...]" in section
    assert "riseml train --runner podman  # in the image of riseml.yml" in section


def test_every_public_name_has_an_entry_and_a_docstring() -> None:
    documented = {name for names in api_reference.names().values() for name in names}
    assert documented == set(riseml.__all__) - {"__version__"}
    for name in documented:
        assert (getattr(riseml, name).__doc__ or "").strip(), name


@pytest.mark.parametrize(
    "name", [name for name in dir(riseml.Client) if not name.startswith("_")]
)
def test_every_method_of_the_client_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(riseml.Client, name))


def test_every_setting_has_an_entry() -> None:
    assert set(settings.ABOUT) == set(settings.NAMES)
    page = settings_reference.markdown()
    for name in settings.NAMES:
        assert f"| `{name}` | `RISEML_{settings.identifier(name).upper()}` |" in page
    assert "| `10 GB` |" in page
    assert settings.parse("workdir_limit", "10 GB") == Settings.workdir_limit
    known = {settings.identifier(name) for name in settings.NAMES}
    others = {"home", "user", "file", "origins"}
    assert {field.name for field in fields(Settings)} == known | others


def test_every_exit_code_has_an_entry() -> None:
    table = exit_code_reference.markdown()
    for error in exit_code_reference.classes():
        assert (
            f"| {error.exit_status} | {{py:exc}}`~riseml.{error.__name__}` |" in table
        )
    page = (ROOT / "docs/reference/exit-codes.md").read_text("utf-8")
    outcomes = outcome._EXIT_STATUS.values()
    for code in (*outcomes, failure.INTERRUPTED, failure.BROKEN_PIPE):
        assert f"\n| {code} |" in page
