"""Suggestions for mistyped words."""

import re

import pytest

from riseml import cli
from riseml.cli import synonyms
from riseml.cli.failure import did_you_mean
from tests.cli.conftest import Riseml
from tests.cli.test_schemas import validate


@pytest.mark.parametrize(
    ("typed", "candidates", "suggestion"),
    [
        # Options
        ("--longg", ["--long", "--logs"], "--long"),
        ("--long-list", ["--long", "--last"], "--long"),
        ("--file", ["--config-file", "--logs"], "--config-file"),
        ("--temp", ["--template", "--project-name"], "--template"),
        ("--engine", ["--no-gitignore", "--dry-run"], ""),
        ("--quiet", ["--output", "--all"], ""),
        ("--x", ["--max", "-x"], "-x"),
        # Commands
        ("trian", cli.COMMANDS, "train"),
        ("stats", cli.COMMANDS, "status"),
        ("lgos", cli.COMMANDS, "logs"),
        ("lss", cli.COMMANDS, "ls"),
        ("run", cli.COMMANDS, ""),
        ("ps", cli.COMMANDS, ""),
        ("list", cli.COMMANDS, ""),
        ("", cli.COMMANDS, ""),
        # Subcommands
        ("creat", ["create", "update", "list"], "create"),
        ("remove", ["create", "update", "list"], ""),
        # Choices and states
        ("jsn", ["table", "json", "yaml"], "json"),
        ("FAIL", ["FINISHED", "FAILED"], "FAILED"),
    ],
)
def test_only_close_words_are_suggested(
    typed: str, candidates: list[str], suggestion: str
) -> None:
    expected = f"Did you mean '{suggestion}'? " if suggestion else ""
    assert did_you_mean(typed, candidates) == expected


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_no_command_suggests_an_option_for_engine(name: str, riseml: Riseml) -> None:
    group = getattr(cli.load(name), "COMMANDS", None)
    first = [name, next(iter(group))] if group else [name]
    error = riseml(*first, "--engine", "argo").err
    assert "has no option --engine" in error
    assert "Did you mean" not in error


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("run", "`riseml train` starts"),
        ("stop", "`riseml kill ID`"),
        ("Cancel", "`riseml kill ID`"),
        ("ps", "`riseml status`"),
        ("list", "`riseml status`"),
        ("runs", "`riseml status`"),
        ("watch", "`riseml status -w`"),
        ("top", "`riseml monitor`"),
        ("search", "`riseml train` starts an experiment for each combination"),
        ("resume", "`riseml retry ID` repeats what has not finished"),
        ("restart", "`riseml retry ID` repeats what has not finished"),
        ("compare", "`riseml results ID`"),
        ("login", "`riseml user login`"),
        ("server", "RiseML has no server."),
        ("account", "RiseML has no accounts."),
        ("-v", "`riseml config show`"),
        ("trian", "Did you mean 'train'?"),
        # No slip of the finger leads to a command that deletes.
        ("delet", "`riseml --help` lists all commands."),
        ("prun", "`riseml --help` lists all commands."),
        ("banana", "`riseml --help` lists all commands."),
    ],
)
def test_an_unknown_word_leads_to_the_command_that_does_it(
    word: str, advice: str, riseml: Riseml
) -> None:
    result = riseml(word)
    assert result.status == 2
    first, second = result.err.splitlines()
    kind = "option" if word.startswith("-") else "command"
    assert first.startswith(f"riseml: error: no {kind} ")
    assert second.startswith(advice)


def test_advice_names_only_commands_that_exist(riseml: Riseml) -> None:
    for word, advice in synonyms.ADVICE.items():
        assert word not in cli.COMMANDS
        for quoted in re.findall("`riseml ([^`]*)`", advice):
            name, *words = quoted.split()
            assert name == "--version" or name in cli.COMMANDS
            group = getattr(cli.load(name), "COMMANDS", None) if words else None
            assert group is None or words[0] == "--help" or words[0] in group


def test_no_subcommand_that_deletes_is_suggested(riseml: Riseml) -> None:
    assert "Did you mean" not in riseml("system", "uninstal").err
    assert "Did you mean 'install'?" in riseml("system", "instal").err


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("status 99 -o json", 4, "no experiment 99"),
        ("status --output json 99", 4, "no experiment 99"),
        ("status --output=json 99", 4, "no experiment 99"),
        ("status -lo json 99", 4, "no experiment 99"),
        ("status -ojson 99", 4, "no experiment 99"),
        ("status -o json --foo", 2, "`riseml status` has no option --foo"),
        ("stats -o json", 2, "no command 'stats'"),
        ("train -f none.yml -o json", 2, "none.yml: error: "),
    ],
)
def test_an_error_is_one_line_of_json_if_json_was_asked_for(
    line: str, status: int, message: str, riseml: Riseml
) -> None:
    result = riseml(*line.split())
    assert (result.status, result.out) == (status, "")
    error = validate("error", result.err)["error"]
    assert result.err.count("\n") == 1
    assert error["message"].startswith(message)
    assert error["exit_status"] == status
    assert bool(error["faults"]) == line.startswith("train")


def test_other_errors_are_for_people(riseml: Riseml) -> None:
    for line in ["status 99", "status 99 -o yaml", "status 99 -o name"]:
        assert riseml(*line.split()).err.startswith("riseml: error: no experiment 99\n")


def test_an_unexpected_error_is_json_as_well(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_values: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("riseml.client.client.Client.runs", fail)
    result = riseml("status", "-o", "json")
    assert validate("error", result.err)["error"] == {
        "message": "unexpected ZeroDivisionError: by zero",
        "advice": "This is a bug in RiseML. Run the command again with --debug to see where.",
        "exit_status": 1,
        "faults": [],
    }
