"""Screens of `riseml status -w`, and how they change."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from riseml.cli import live, output
from riseml.cli.watch import RunList
from riseml.client.client import Client
from riseml.engines import Chunk
from riseml.plan import Metric
from riseml.status import ExperimentStatus, SetStatus, State, set_state
from riseml.status.values import count
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, ago, job, single, with_attempts
from tests.cli.virtual_terminal import VirtualTerminal

SCREENS = Path(__file__).parent / "watch_screens"

Screen = Callable[..., None]


def experiment(sub: int, state: State, **values: Any) -> ExperimentStatus:
    """Return an experiment of set 15 that started ten minutes ago."""
    started = None if state in {State.CREATED, State.PENDING} else ago(minutes=10)
    finished = ago(minutes=9 - sub % 5) if state.is_terminal else None
    parameters = {
        "lr": f"{sub / 1000:g}",
        "opt": "adam",
        "depth": str(2 + sub % 3),
    }
    jobs = (job(f"15.{sub}.train", state, started=started),)
    fields: dict[str, Any] = {
        "created": ago(minutes=30),
        "started": started,
        "finished": finished,
    }
    return ExperimentStatus(
        f"15.{sub}", sub, state, parameters, jobs=jobs, **fields, **values
    )


def set_of(experiments: list[ExperimentStatus], **values: Any) -> SetStatus:
    counts = count(experiments)
    run = SetStatus(
        id="15",
        name="toaster-net-15",
        user="paul",
        project="toaster-net",
        number=15,
        is_set=True,
        state=set_state(counts),
        created=ago(minutes=30),
        started=ago(minutes=25),
        counts=counts,
        concurrency=8,
        metrics=(Metric("acc", "max"), Metric("loss")),
        experiments=tuple(experiments),
    )
    return replace(run, **values)


def typical_set(total: int, running: int, failed: int, finished: int) -> SetStatus:
    """Return a set whose experiments report progress and results."""
    experiments = []
    for sub in range(1, total + 1):
        result = {"acc": 0.5 + (sub * 37 % 100) / 250, "loss": 1 / sub}
        if sub <= finished:
            one = experiment(sub, State.FINISHED, result=result)
        elif sub <= finished + failed:
            one = experiment(sub, State.FAILED, message="exit code 1", exit_code=1)
        elif sub <= finished + failed + running:
            progress = (sub % 9 + 1, 10)
            one = experiment(sub, State.RUNNING, result=result, progress=progress)
        else:
            one = experiment(sub, State.CREATED)
        experiments.append(one)
    return set_of(experiments)


def building() -> tuple[SetStatus, list[Any]]:
    run = single(16, State.BUILDING, progress=None)
    build = job("16.build", State.RUNNING, started=ago(seconds=41))
    log = b"==> pip install torch\nCollecting torch\n  Downloading torch-2.9.whl (900 MB)\n"
    run = replace(run, install=("pip install torch", "pip install -e ."), jobs=(build,))
    return run, [Chunk("16.build", log)]


def with_progress(run: SetStatus) -> SetStatus:
    (one,) = run.experiments
    result = {"acc": 0.91, "loss": 0.25}
    one = replace(one, progress=(40, 100), result=result)
    return replace(run, experiments=(one,))


RUNS: dict[str, SetStatus] = {
    "set-of-60": typical_set(60, 8, 2, 23),
    "set-of-300": typical_set(300, 64, 12, 140),
    "set-of-300-running": replace(typical_set(300, 300, 0, 0), concurrency=None),
    "set-without-metric": replace(typical_set(60, 8, 2, 23), metrics=()),
    "small-set": typical_set(6, 2, 1, 2),
    "ended": single(12, State.FINISHED, result={"acc": 0.5, "note": "räksmörgås"}),
    "progress": with_progress(single(16)),
    "building": building()[0],
    "attempts": with_progress(with_attempts(single(16), 2)),
    "set-with-attempts": set_of(
        [
            replace(one, jobs=with_attempts(single(1), 2).experiments[0].jobs)
            if one.sub == 9
            else one
            for one in typical_set(12, 4, 1, 6).experiments
        ]
    ),
    "set-with-tensorboard": replace(
        typical_set(60, 8, 2, 23),
        jobs=(job("15.tensorboard"),),
        tensorboard_url="http://127.0.0.1:24010",
    ),
    "set-that-waits": set_of(
        [
            experiment(n, State.PENDING, message="waiting: 1 gpu needed, 0 free")
            for n in range(1, 5)
        ]
    ),
}
WIDTHS = (60, 80, 140)


def last_screen(out: str, width: int, height: int = 24) -> list[str]:
    """Return what a terminal shows after a command."""
    terminal = VirtualTerminal(width, height)
    terminal.feed(out)
    assert (terminal.alternate, terminal.wraps, terminal.shows_cursor) == (
        None,
        True,
        True,
    )
    return terminal.lines


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", RUNS)
def test_screen(
    name: str, width: int, engine: FakeEngine, riseml: Riseml, screen: Screen
) -> None:
    run = RUNS[name]
    engine.runs, engine.events = [run], building()[1]
    engine.interrupted_views = True
    screen(width=width, colour=False)
    result = riseml(*shlex.split(f"status {run.id} -w"))
    shown = last_screen(result.out, width)
    assert len(shown) <= 23
    _compare(f"{name}-{width}", "\n".join(shown), result.err)


def _compare(name: str, text: str, err: str) -> None:
    text += "".join(f"2> {line}\n" for line in err.splitlines())
    file = SCREENS / f"{name}.txt"
    if os.environ.get("REGENERATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


LISTED = {
    "list": [with_progress(single(17)), RUNS["set-of-60"], single(16, State.PENDING)],
    "idle-list": [single(14, State.FAILED, exit_code=3), single(13, State.KILLED)],
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", LISTED)
def test_screen_of_a_list(
    name: str, width: int, engine: FakeEngine, riseml: Riseml, screen: Screen
) -> None:
    engine.runs, engine.interrupted_lists = LISTED[name], 1
    screen(width=width, colour=False)
    result = riseml("status", "-w")
    shown = last_screen(result.out, width)
    assert [line for line in shown if len(line) > width] == []
    _compare(f"{name}-{width}", "\n".join(shown), result.err)


def test_runs_that_end_stay_in_the_list(engine: FakeEngine) -> None:
    client = Client(engine=engine)
    engine.runs = [single(16), single(15)]
    runs = RunList(client, client.runs)
    assert [run.id for run in runs.read()] == ["16", "15"]
    engine.runs = [single(17), single(16, State.FAILED)]
    listed = [(run.id, run.state) for run in runs.read()]
    # 15 was deleted.
    assert listed == [("17", State.RUNNING), ("16", State.FAILED)]
    assert not runs.is_idle
    engine.runs = [single(17, State.FINISHED), single(16, State.FAILED)]
    listed = [(run.id, run.state) for run in runs.read()]
    assert listed == [("16", State.FAILED), ("17", State.FINISHED)]
    assert runs.is_idle


def test_without_any_run_a_list_is_idle(engine: FakeEngine, riseml: Riseml) -> None:
    result = riseml("status", "-w")
    assert (result.status, result.out, result.err) == (0, "", "Nothing is running.\n")


@pytest.fixture
def terminal(screen: Screen) -> VirtualTerminal:
    screen(width=80, height=7, colour=False)
    return VirtualTerminal(80, 7)


def watch(views: Iterator[list[str]], *, last: str = "") -> None:
    live.watch(
        lambda: next(views),
        lambda view: view,
        lambda view: {line.split()[0]: line for line in view},
        lambda view: view[-1:] == [last],
        farewell="Come back.",
    )


def test_a_screen_replaces_the_one_before(
    terminal: VirtualTerminal, capfd: pytest.CaptureFixture[str]
) -> None:
    watch(iter([["a", "bcd"], ["ef", "g"], ["h"]]), last="h")
    codes = capfd.readouterr().out
    # Nothing is erased before it is written again, so nothing flickers.
    frames = codes.split("\x1b[H")
    assert [frame.count("\x1b[K") for frame in frames] == [0, 2, 2, 1]
    shown = []
    for frame in frames[1:]:
        terminal.feed("\x1b[H" + frame.partition("\x1b[?7h")[0])
        shown.append(terminal.lines)
    assert shown == [["a", "bcd"], ["ef", "g"], ["h"]]
    assert codes.count("\x1b[2J") == 0


def test_lines_beyond_the_height_are_counted(
    terminal: VirtualTerminal, capfd: pytest.CaptureFixture[str]
) -> None:
    watch(iter([["before"], list("abcdefgh")]), last="h")
    terminal.feed("$ riseml status -w\r\n" + capfd.readouterr().out)
    assert terminal.lines == [
        "$ riseml status -w",
        *"abcd",
        "... 4 more lines",
        "",
    ]


def test_ctrl_c_leaves_the_last_screen_and_says_how_to_return(
    terminal: VirtualTerminal, capfd: pytest.CaptureFixture[str]
) -> None:
    def views() -> Iterator[list[str]]:
        yield ["a", "b"]
        raise KeyboardInterrupt

    watch(views())
    out, err = capfd.readouterr()
    terminal.feed(out)
    assert (terminal.lines, err) == (["a", "b", ""], "Come back.\n")
    assert (terminal.alternate, terminal.wraps, terminal.shows_cursor) == (
        None,
        True,
        True,
    )


def test_an_error_leaves_the_terminal_as_it_was(
    terminal: VirtualTerminal, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StopIteration):
        watch(iter([["a"]]))
    terminal.feed(capfd.readouterr().out)
    assert (terminal.alternate, terminal.shows_cursor) == (None, True)


def test_elsewhere_a_line_is_printed_when_it_changes(
    capfd: pytest.CaptureFixture[str],
) -> None:
    views = [
        ["1 RUNNING"],
        ["1 RUNNING", "2 PENDING"],
        ["1 PENDING", "2 PENDING"],
        ["1 RUNNING", "2 END"],
    ]
    watch(iter(views), last="2 END")
    assert capfd.readouterr().out.splitlines() == [
        "1 RUNNING",
        "2 PENDING",
        "1 PENDING",
        "1 RUNNING",
        "2 END",
    ]


def test_elsewhere_experiments_that_their_search_stopped_are_early(
    engine: FakeEngine, riseml: Riseml
) -> None:
    stopped = experiment(1, State.FINISHED, reason="EARLY", result={"loss": 2.5})
    finished = experiment(2, State.FINISHED, result={"loss": 1.5})
    run = single(15, State.FINISHED)
    engine.runs = [replace(run, is_set=True, experiments=(stopped, finished))]
    assert riseml("status", "15", "-w").out.splitlines() == [
        "15 FINISHED",
        "15.1 EARLY loss=2.5",
        "15.2 FINISHED loss=1.5",
    ]


def test_every_file_belongs_to_a_test() -> None:
    names = [*RUNS, *LISTED]
    expected = {f"{name}-{width}.txt" for name in names for width in WIDTHS}
    assert {file.name for file in SCREENS.iterdir()} == expected


def test_ctrl_z_during_a_redraw_waits_for_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = live.Screen()
    events: list[str] = []

    def write(codes: str) -> None:
        is_block = "a line" in codes
        events.append("block" if is_block else codes)
        # The signal comes while the first block is being written.
        if events.count("block") == 1 and is_block:
            screen.suspend(signal.SIGTSTP, None)
        events.append("written")

    def stop(_pid: int, _signal: int) -> None:
        events.append("stopped")

    monkeypatch.setattr(output, "write", write)
    monkeypatch.setattr(os, "kill", stop)
    screen.show(["a line"])
    assert events == [
        "block",
        "written",
        live._LEAVE,
        "written",
        "stopped",
        live._ENTER,
        "written",
        "block",
        "written",
    ]
