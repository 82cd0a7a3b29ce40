"""Commands of other packages."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riseml import cli, plugins
from tests.cli.conftest import Riseml

Install = Callable[..., None]

GREET = '''
"""Their greeting."""

from typing import Annotated

import typer

from riseml.cli import output


def command(name: Annotated[str, typer.Argument(metavar="NAME")], loud: bool = False) -> int:
    """Greet somebody.

    Example:
      riseml greet Ida
    """
    output.say(f"HELLO {name}" if loud else f"hello {name}")
    return 5
'''
ENDS_WITH_TYPER = '''
"""Their check."""

import typer


def command() -> None:
    """Check something."""
    raise typer.Exit(4)
'''
DECORATED = '''
"""Their decorated command."""

from functools import wraps
from typing import Annotated

import typer

from riseml.cli import output


def doubled(function):
    @wraps(function)
    def call(*args, **kwargs):
        return 2 * function(*args, **kwargs)

    return call


@doubled
def command(*, count: Annotated[int, typer.Option("--count")], step: Annotated[int, typer.Option("--step")] = 1) -> int:
    """Count."""
    return count + step
'''
GROUP = '''
"""Manage their cats."""


def feed() -> None:
    """Feed all cats."""


COMMANDS = {"feed": feed}
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package with modules, each under the name of its command."""

    def put(**modules: str) -> None:
        lines = ["[riseml.commands]"]
        for name, code in modules.items():
            module = f"their_{name}"
            (tmp_path / f"{module}.py").write_text(code)
            monkeypatch.delitem(sys.modules, module, raising=False)
            lines.append(f"{name} = {module}")
        metadata = tmp_path / "their_package-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
        plugins._installed.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    yield put
    plugins._installed.cache_clear()


def test_a_command_of_another_package(install: Install, riseml: Riseml) -> None:
    install(greet=GREET)
    greeting = riseml("greet", "Ida", "--loud")
    assert (greeting.status, greeting.out, greeting.err) == (5, "HELLO Ida\n", "")
    assert riseml("greet").err.startswith("riseml: error: riseml greet needs 'NAME'")
    assert riseml("greet", "--help").out.startswith("Usage: riseml greet ")
    assert riseml("help", "greet") == riseml("greet", "--help")


def test_a_command_may_use_all_of_typer(install: Install, riseml: Riseml) -> None:
    install(audit=ENDS_WITH_TYPER, count=DECORATED)
    assert riseml("audit").status == 4
    assert riseml("count", "--count", "2").status == 6
    assert riseml("count", "--count", "2", "--step=3").status == 10
    assert "--count" in riseml("count").err


def test_a_group_of_another_package(install: Install, riseml: Riseml) -> None:
    install(cats=GROUP)
    assert riseml("cats", "feed").status == 0
    assert "\n  feed  Feed all cats.\n" in riseml("cats").out
    assert "Did you mean 'feed'?" in riseml("cats", "fed").err


def test_the_help_lists_commands_of_other_packages(
    install: Install, riseml: Riseml
) -> None:
    install(greet=GREET, cats=GROUP)
    _, section = riseml("--help").out.split("\nFrom other packages:\n")
    assert section.startswith(
        "  cats           Manage their cats.\n"
        "  greet          Greet somebody.\n"
        "\nOptions:\n"
    )


def test_unknown_words_are_compared_with_them(install: Install, riseml: Riseml) -> None:
    install(greet=GREET)
    assert "Did you mean 'greet'?" in riseml("great").err


def test_the_shell_completes_them(install: Install, riseml: Riseml) -> None:
    install(greet=GREET)
    assert riseml(cli.COMPLETE, "gr").out == "greet\tGreet somebody.\n"
    assert riseml(cli.COMPLETE, "greet", "--l").out.startswith("--loud")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("x = 1", "has no function `command` and no group `COMMANDS`"),
    ],
)
def test_a_broken_command_does_not_break_the_help(
    code: str, message: str, install: Install, riseml: Riseml
) -> None:
    install(broken=code, greet=GREET)
    overview = riseml("--help")
    assert overview.status == 0
    assert message in overview.out
    assert "Greet somebody." in overview.out
    broken = riseml("broken")
    assert broken.status == 1
    assert message in broken.err


def test_a_built_in_command_cannot_be_replaced(
    install: Install, riseml: Riseml
) -> None:
    install(whoami=GREET)
    assert riseml("whoami").out == "you are: paul\n"


def test_help_about_an_unknown_command_is_an_error(riseml: Riseml) -> None:
    result = riseml("help", "stattus")
    assert result.status == 2
    assert "no command 'stattus'" in result.err
    assert "status" in result.err
