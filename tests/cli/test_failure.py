"""Suggestions for mistyped words."""

import pytest

from riseml import cli
from riseml.cli.failure import did_you_mean
from tests.cli.conftest import Riseml


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
