"""Reader of command lines, compared with Typer."""

import random
import re
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
import typer

from riseml import cli
from riseml.cli import app, command_line
from riseml.cli.parameters import Option, declared

Function = Callable[..., Any]

# Values of all types that commands have, and mistakes.
VALUES = ["5", "-1", "x", "json", "a=1", "", "-", "14.3", "file.yml", "bash", "table"]
RANDOM_LINES = 60


def _commands() -> Iterator[tuple[str, Function]]:
    for name in cli.COMMANDS:
        module = cli.load(name)
        if hasattr(module, "COMMANDS"):
            for word, function in module.COMMANDS.items():
                yield f"{name} {word}", function
        else:
            yield name, module.command


COMMANDS = dict(_commands())


def _words(function: Function, source: random.Random) -> list[str]:
    """Return a line of options and values, which is often correct."""
    spellings = ["--help", "--", "-x"]
    for parameter in declared(function).values():
        for spelling in parameter.spellings:
            spellings += spelling.split("/")
    words: list[str] = []
    for _ in range(source.randrange(6)):
        spelling, value = source.choice(spellings), source.choice(VALUES)
        form = source.randrange(5)
        if form == 0:
            words.append(value)
        elif form == 1:
            words.append(spelling)
        elif form == 2:
            words += [spelling, value]
        elif spelling.startswith("--"):
            words.append(f"{spelling}={value}")
        else:
            words.append(f"{spelling}{value}")
    return words


def _read_by_typer(name: str, function: Function, words: list[str]) -> object:
    command = app.build(name, function)
    with command.make_context(name, list(words)) as context:
        return context.params


def _correct_words(function: Function) -> list[str]:
    """Return a line with each option, and a value of each argument."""
    options, arguments = [], []
    for name, parameter in declared(function).items():
        kind = str(function.__annotations__[name])
        choices = re.search(r"Literal\['(\w+)'", kind)
        value = choices[1] if choices else "5"
        if not parameter.spellings:
            arguments.append(value)
        for spelling in parameter.spellings:
            options += spelling.split("/")
            if "bool" not in kind:
                options.append(value)
    return [*options, *arguments]


@pytest.mark.parametrize("name", COMMANDS)
def test_typer_reads_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function = COMMANDS[name]
    for parameter in declared(function).values():
        monkeypatch.setattr(parameter, "find_default", None)
    correct = _correct_words(function)
    assert command_line.read(function, correct) is not None
    source = random.Random(name)
    lines = [_words(function, source) for _ in range(RANDOM_LINES)]
    for words in [correct, [], *lines]:
        values = command_line.read(function, words)
        if values is not None:
            assert values == _read_by_typer(name, function, words), words


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("status", {"id": None, "last": 10, "states": None, "output_format": "table"}),
        ("status -al -n5", {"all_states": True, "long": True, "last": 5}),
        ("status -an 7 14", {"all_states": True, "last": 7, "id": "14"}),
        ("status --state A --state=B", {"states": ["A", "B"]}),
        ("status -ojson --num-last=0", {"output_format": "json", "last": 0}),
        ("status -- --long", {"id": "--long", "long": False}),
        ("logs --no-follow 3", {"follow_": False}),
        ("logs -f", {"follow_": True}),
        ("logs", {"follow_": True}),
        ("cp a b c", {"sources": ["a", "b"], "destination": "c"}),
        ("exec 14 -- ls -l", {"id": "14", "words": ["ls", "-l"]}),
        ("train x=1 -f a.yml y=2", {"words": ["x=1", "y=2"], "config_file": "a.yml"}),
    ],
)
def test_values_of_a_correct_line(line: str, values: dict[str, object]) -> None:
    name, *words = line.split()
    read = command_line.read(COMMANDS[name], words)
    assert read is not None
    assert {key: read[key] for key in values} == values


@pytest.mark.parametrize(
    "line",
    [
        "status --help",
        "status -h",
        "status 1 2",
        "status -n x",
        "status -n -1",
        "status -n",
        "status --all=1",
        "status --al",
        "status -o xml",
        "status --nothing",
        "cp a",
        "logs --no-follow=1",
    ],
)
def test_typer_gives_help_and_reports_mistakes(line: str) -> None:
    name, *words = line.split()
    assert command_line.read(COMMANDS[name], words) is None


def _with_a_plain_default(count: int = 1) -> None:
    raise NotImplementedError


def _with_typers_option(name: Annotated[str, typer.Option("--name")] = "") -> None:
    raise NotImplementedError


@pytest.mark.parametrize("function", [_with_a_plain_default, _with_typers_option])
def test_typer_reads_what_is_declared_in_other_ways(function: Function) -> None:
    assert command_line.read(function, []) is None


@pytest.mark.parametrize("words", [[], ["--help"], ["--name", "b"]])
def test_a_default_may_depend_on_other_values(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def command(
        title: Annotated[
            str,
            Option(
                "--title",
                help="A title.",
                find_default=lambda values: f"title of {values['name']}",
            ),
        ] = "none",
        name: Annotated[str, Option("--name", help="A name.")] = "a",
    ) -> int:
        """Print a title."""
        sys.stdout.write(f"{title} {name}\n")
        return 3

    assert command_line.run("x", command, words) == (0 if "--help" in words else 3)
    out = capsys.readouterr().out
    expected = {"[]": "title of a a\n", "['--name', 'b']": "title of b b\n"}
    if words == ["--help"]:
        assert "[default: none]" in out
    else:
        assert out == expected[str(words)]
    app.run("x", command, words)
    assert capsys.readouterr().out == out
