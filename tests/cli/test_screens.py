"""Complete screens, compared with the files in `screens`.

The variable REGENERATE=1 rewrites the files.
"""

import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import riseml as package
from riseml.engines import Change, Chunk
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, ago, grid, job, single, with_attempts

SCREENS = Path(__file__).parent / "screens"

RUNS = [
    single(17, State.PENDING),
    single(16),
    grid(
        15,
        [State.FINISHED, State.RUNNING, State.FAILED, State.CREATED],
        {
            1: {"acc": 0.91234567, "loss": 1.25e-7},
            2: {"acc": 0.95, "loss": float("nan")},
        },
    ),
    single(14, State.FAILED, exit_code=3, guilty="14.train"),
    single(13, State.KILLED),
    single(12, State.FINISHED, result={"acc": 0.5, "note": "räksmörgås"}),
    grid(11, [State.FINISHED, State.KILLED]),
]
EVENTS: list[Chunk | Change] = [
    Change(
        "16.train", "PENDING", ago(minutes=10), "Unschedulable", "no place for 2 cpus"
    ),
    Chunk("16.train", b"hello\nepoch 1 10%\repoch 1 100%\nwin\r\n"),
    Chunk("16.train", b"epoch 2 5%\r", partial=True),
    Chunk("16.train", b"epoch 2 90%\r", partial=True),
    Change("16.train", "FAILED", ago(minutes=9), exit_code=3),
    Change("16", "FAILED"),
]

CASES = [
    "--version",
    "--help",
    "help kill",
    "stats",
    "--verbose",
    "status",
    "status -a",
    "status -a -n 2",
    "status -a -n 0 -l",
    "status -u",
    "status -a --no-headers -o wide",
    "status -a --state failed --state KILLED",
    "status --state lost",
    "status --project nothing-here",
    "status -a -n 3 -o json",
    "status -a -o name",
    "status -a -l -o csv",
    "status 16",
    "status 17",
    "status 15",
    "status 15 --no-headers",
    "status 15.3",
    "status 14.train",
    "status 15 -o csv",
    "status 12 -o json",
    "status 15.9",
    "status 16.worker.2",
    "status 99",
    "status what?",
    "status --foo",
    "status --long-list",
    "status -n many",
    "status -n -1",
    "status -o jsn",
    "status 14 15",
    "logs",
    "logs 16",
    "logs 16.train",
    "logs 16 --grep epoch",
    "logs 16 --grep (",
    "logs 16 --since yesterday",
    "kill",
    "kill 15.2 17",
    "kill 14 16",
    "kill 16 15.2.train",
    "kill .paul",
    "wait 12",
    "wait 12 13",
    "wait 13 14 11",
    "results 15",
    "results 15 --sort acc",
    "results 15 --sort loss --min --top 2",
    "results 15 --sort lr --max",
    "results 15 --sort accuracy",
    "results 15 -o csv",
    "results 15 -o json",
    "results 11",
    "results 15.2",
    "delete 14",
    "delete 12 13 -y",
    "delete 16",
    "delete 15.1",
    "delete",
    "prune",
    "prune --older-than 1d --dry-run",
    "prune --older-than soon",
    "help build",
    "help why",
    "help doctor",
    "why 14",
    "why 15",
    "why 15.2 -o json",
    "why 99",
    "help ls",
    "help cp",
    "help rm",
    "ls",
    "ls s3://bucket",
    "ls here",
    "ls output://~",
    "cp one",
    "cp nothing output://~/",
    "rm output://",
    "whoami",
]

RETRIED_RUNS = [
    with_attempts(single(22, State.FAILED, exit_code=3, guilty="22.train"), 3),
    with_attempts(single(21), 2),
]
RETRIED_CASES = ["status 22", "status 21.train", "status 22.train -o yaml", "why 22"]

RUNS_WITH_TENSORBOARD = [
    replace(
        single(19),
        jobs=(job("19.tensorboard"),),
        tensorboard_url="http://127.0.0.1:24010",
    ),
    replace(
        grid(18, [State.FINISHED, State.RUNNING]),
        jobs=(job("18.tensorboard", State.PENDING),),
    ),
]
TENSORBOARD_CASES = [
    "help tensorboard",
    "status 19",
    "status 18",
    "status 19 -o json",
    "status 18 -o yaml",
    "tensorboard 20",
]


@pytest.mark.parametrize("line", CASES)
def test_screen(
    line: str, engine: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "__version__", "2.0.0")
    engine.runs, engine.events = list(RUNS), list(EVENTS)
    _compare(line, riseml)


@pytest.mark.parametrize("line", RETRIED_CASES)
def test_screen_of_attempts(line: str, engine: FakeEngine, riseml: Riseml) -> None:
    engine.runs = list(RETRIED_RUNS)
    _compare(line, riseml)


@pytest.mark.parametrize("line", TENSORBOARD_CASES)
def test_screen_of_a_tensorboard(line: str, engine: FakeEngine, riseml: Riseml) -> None:
    engine.runs = list(RUNS_WITH_TENSORBOARD)
    _compare(line, riseml)


TERMINALS: dict[str, tuple[str, dict[str, object]]] = {
    "wide-colour": ("status -a -l", {"width": 120}),
    "narrow": ("status -a -l", {"width": 40, "colour": False}),
    "tiny": ("status -a -l", {"width": 12, "colour": False}),
    "ascii": ("status -a -l", {"width": 100, "colour": False, "unicode": False}),
    "detail-narrow": ("status 15", {"width": 50, "colour": False}),
    "job-table-narrow": ("status 14", {"width": 60, "colour": False}),
    "results-colour": ("results 15", {"width": 60}),
    "logs-colour": ("logs 16", {"width": 60}),
}


@pytest.mark.parametrize("name", TERMINALS)
def test_screen_of_a_terminal(
    name: str, engine: FakeEngine, riseml: Riseml, screen: Callable[..., None]
) -> None:
    engine.runs, engine.events = list(RUNS), list(EVENTS)
    line, abilities = TERMINALS[name]
    screen(**abilities)
    _compare(line, riseml, f"terminal-{name}")


def test_messages_without_any_run(engine: FakeEngine, riseml: Riseml) -> None:
    for line, status, out, err in [
        (
            "status",
            0,
            "",
            "Nothing is running. `riseml status -a` shows what has ended.\n",
        ),
        ("status -a", 0, "", "No experiments.\n"),
        ("status -o json", 0, "[]\n", ""),
        ("kill", 4, "", "riseml: error: no experiments to kill\n"),
        (
            "logs",
            4,
            "",
            "riseml: error: there are no experiments yet\n`riseml train` starts one.\n",
        ),
        ("prune --older-than 1d", 0, "", "Nothing ended more than 1d ago.\n"),
    ]:
        result = riseml(*line.split())
        assert (result.status, result.out, result.err) == (status, out, err), line


def _compare(line: str, riseml: Riseml, name: str = "") -> None:
    result = riseml(*shlex.split(line.replace("(", "'('")))
    text = f"$ riseml {line}\n{result.out}"
    text += (
        "".join(f"2> {error}\n" for error in result.err.splitlines())
        + f"[exit {result.status}]\n"
    )
    file = SCREENS / f"{name or _file_name(line)}.txt"
    if os.environ.get("REGENERATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode())
    assert text == file.read_bytes().decode()


def _file_name(line: str) -> str:
    return "".join(c if c.isalnum() or c in "-." else "_" for c in line)


def test_every_screen_file_belongs_to_a_test() -> None:
    lines = (*CASES, *RETRIED_CASES, *TENSORBOARD_CASES)
    expected = {f"{_file_name(line)}.txt" for line in lines}
    expected |= {f"terminal-{name}.txt" for name in TERMINALS}
    assert {file.name for file in SCREENS.iterdir()} == expected
