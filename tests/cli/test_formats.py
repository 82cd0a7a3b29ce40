"""Every command that reads something has all formats of `-o`."""

import csv
import io
import json
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from riseml import cli
from riseml.cli import options
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, single
from tests.cli.test_schemas import SCHEMAS, validate

FORMATS = ("table", "wide", "json", "yaml", "csv", "name")
# They start, change, copy or serve something, or write a document of their own.
NOT_READING = {
    "build": "only with --explain, but has the option",
    "compile": "writes an Argo Workflow; -o names its file",
    "completion": "writes code for a shell",
    "config set": "changes the settings",
    "config use": "changes the settings",
    "cp": "copies",
    "delete": "deletes",
    "exec": "prints what a command in a job writes",
    "init": "writes riseml.yml",
    "kill": "stops",
    "note": "changes a run; `status -o json` shows the note",
    "port-forward": "serves",
    "prune": "deletes",
    "release": "ends what is held",
    "report": "writes an HTML page; -o names its file",
    "rm": "deletes",
    "tag": "changes runs; `status -o json` shows the tags",
    "schema": "writes a JSON Schema",
    "shell": "opens a shell",
    "system install": "changes a cluster",
    "system test": "starts runs",
    "system uninstall": "changes a cluster",
    "system upgrade": "changes a cluster",
    "tensorboard": "serves",
    "user create": "changes a cluster",
    "user disable": "changes a cluster",
    "user login": "changes the settings",
    "user update": "changes a cluster",
}
# Also `-o` for what they have done.
EXTRA = {"build", "secret", "submit", "train"}


def commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every command with its words."""
    for name in cli.COMMANDS:
        module = cli.load(name)
        group = getattr(module, "COMMANDS", None)
        if group is None:
            yield name, module.command
            continue
        for word, function in group.items():
            yield f"{name} {word}", function


def formats(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the choices of `-o` of a command."""
    hints = typing.get_type_hints(function, include_extras=True)
    hint = hints.get("output_format")
    return typing.get_args(typing.get_args(hint)[0]) if hint else ()


READING = [name for name, _ in commands() if name not in NOT_READING or name in EXTRA]


@pytest.mark.parametrize(
    ("name", "function"), list(commands()), ids=[name for name, _ in commands()]
)
def test_a_reading_command_has_all_formats(
    name: str, function: Callable[..., Any]
) -> None:
    if name in READING:
        assert formats(function) == FORMATS
        assert typing.get_args(typing.get_args(options.OutputFormat)[0]) == FORMATS
    else:
        assert formats(function) != FORMATS, f"{name} is not in READING"


@pytest.mark.parametrize("name", READING)
def test_what_a_reading_command_prints_has_a_schema(name: str) -> None:
    published = name.replace("submit", "train").replace(" ", "-")
    assert (SCHEMAS / f"{published}.json").is_file()


# Values that a careless writer would break: numbers and dates as text, quotes, lines.
AWKWARD = {
    "lr": "1e-3",
    "on": "yes",
    "day": "2018-01-31",
    "note": 'a "b", c\nd',
    "empty": "",
    "id": "7",
    "zeros": "007",
    "umlaut": "räksmörgås",
}
RESULT = {"acc": 0.5, "loss": float("nan"), "lr": 1, "param.id": 2, "done": True}


@pytest.fixture
def awkward(engine: FakeEngine, tmp_path: Path) -> FakeEngine:
    """Return an engine with awkward values in runs, and something for each command."""
    engine.runs = [
        single(14, State.FINISHED, parameters=AWKWARD, result=RESULT),
        grid(13, [State.FINISHED, State.FAILED], {1: {"acc": 0.5}, 2: {"acc": 0.25}}),
        single(12, State.FAILED, message='said "no", then\nnothing', exit_code=3),
    ]
    engine.stored_secrets = {"API_KEY": "x", "TOKEN": "y"}
    engine.volumes = tmp_path
    (tmp_path / "data" / 'a "b", c').mkdir(parents=True)
    Path("riseml.yml").write_text("project: toaster-net\ntrain: {imge: a, 'run': b}\n")
    return engine


LINES = [
    "status -a",
    "status -a -l",
    "status 14",
    "status 13",
    "status 12.train",
    "results 14",
    "results 13",
    "why 12",
    "why 13",
    "wait 14 13",
    "ls",
    "ls data://",
    "check",
    "whoami",
    "usage",
    "secret list",
    "config list",
    "config show",
    "doctor",
]


@pytest.fixture
def result_of(
    awkward: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], str]:
    """Return a function that runs a line in a format and returns what it prints."""
    # The checks of this machine would take long, and find something else each time.
    from riseml.doctor.findings import Finding  # noqa: PLC0415

    findings = [Finding("Disk", "ok", "9 GB"), Finding("Git", "failed", "none", "Get")]
    monkeypatch.setattr("riseml.client.explain.doctor", lambda _context: iter(findings))

    def run(line: str, output_format: str) -> str:
        return riseml(*line.split(), "-o", output_format).out

    return run


@pytest.mark.parametrize("line", LINES)
def test_yaml_is_the_data_of_json(
    line: str, result_of: Callable[[str, str], str]
) -> None:
    data = json.loads(result_of(line, "json"))
    assert data
    assert yaml.safe_load(result_of(line, "yaml")) == data


@pytest.mark.parametrize("line", LINES)
def test_csv_has_a_name_for_each_column(
    line: str, result_of: Callable[[str, str], str]
) -> None:
    titles, *rows = csv.reader(io.StringIO(result_of(line, "csv")))
    assert len(set(titles)) == len(titles)
    assert "" not in titles
    assert rows
    assert {len(row) for row in rows} == {len(titles)}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("status -a", ["14", "13", "12"]),
        ("status 13", ["13"]),
        ("results 13", ["13.1", "13.2"]),
        ("why 12", ["12"]),
        ("wait 14 13", ["14", "13"]),
        ("ls", ["data://", "output://", "code://"]),
        ("ls data://", ['a "b", c']),
        ("check", ["riseml.yml:2:9"]),
        ("whoami", ["paul"]),
        ("usage", ["14", "13", "12"]),
        ("secret list", ["API_KEY", "TOKEN"]),
        ("config list", ["local"]),
        ("doctor", ["Git"]),
    ],
)
def test_name_prints_ids(
    line: str, names: list[str], result_of: Callable[[str, str], str]
) -> None:
    assert result_of(line, "name").splitlines() == names


@pytest.mark.parametrize("line", LINES)
def test_output_fits_its_schema(
    line: str, result_of: Callable[[str, str], str]
) -> None:
    words = line.split()
    name = "-".join(words[:2]) if words[0] == "config" else words[0]
    assert validate(name, result_of(line, "json"))


def test_csv_keeps_every_value(result_of: Callable[[str, str], str]) -> None:
    (row,) = csv.DictReader(io.StringIO(result_of("results 14", "csv")))
    expected = {f"param.{name}": value for name, value in AWKWARD.items()}
    reported = {"acc": "0.5", "loss": "NaN", "lr": "1", "param.id": "2", "done": "true"}
    expected |= {f"result.{name}": value for name, value in reported.items()}
    assert row == {"id": "14", "state": "FINISHED", **expected}
