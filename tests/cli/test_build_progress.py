"""How `riseml train` shows the build of the run that it has started."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from riseml.cli import build_progress, clock, terminal
from riseml.client.client import Client
from riseml.engines import Chunk
from riseml.status import JobStatus, SetStatus, State
from tests.cli.fake_engine import FakeEngine, ago, job, single

LOG = (
    b"==> pip install -r requirements.txt\nCollecting torch==2.9\n"
    b"  Downloading torch-2.9-cp312-manylinux_x86_64.whl (888.1 MB)\n"
)


def _run(build: JobStatus) -> SetStatus:
    run = single(14, State.BUILDING)
    steps = ("pip install -r requirements.txt", "python setup.py build")
    return replace(run, jobs=(build,), install=steps)


RUNNING = _run(job("14.build", started=ago(seconds=41)))
FINISHED = _run(
    job("14.build", State.FINISHED, started=ago(seconds=50), finished=ago(seconds=2))
)
FAILED = _run(
    job("14.build", State.FAILED, started=ago(seconds=50), finished=ago(seconds=2))
)
PENDING = _run(job("14.build", State.PENDING))


class _Changes:
    """A client whose run has these statuses, with a tick for each None."""

    def __init__(self, engine: FakeEngine, changes: list[SetStatus | None]) -> None:
        self.engine = engine
        self._changes = changes
        self._now: SetStatus | None = None

    def changes(self, _id: str, *, tick: float) -> Iterator[SetStatus | None]:
        assert tick <= 1
        for change in self._changes:
            self._now = change or self._now
            # The changes of a set leave out its jobs.
            yield change and replace(change, jobs=())

    def read(self, _id: str) -> SetStatus | None:
        return self._now


def _follow(engine: FakeEngine, *changes: SetStatus | None) -> None:
    engine.events = [Chunk("14.build", LOG)]
    engine.runs = [RUNNING]
    build_progress.follow(cast("Client", _Changes(engine, list(changes))), "14")


def test_a_terminal_shows_step_time_last_line_and_log(
    engine: FakeEngine,
    screen: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen(60)
    _follow(engine, RUNNING, None, FINISHED)
    first, second = capsys.readouterr().out.split("\x1b[4A\r\x1b[J")
    assert first.splitlines() == [
        "",
        "14.build has run for 41 seconds; step 1 of 2: pip install …",
        "  |   Downloading torch-2.9-cp312-manylinux_x86_64.whl (88…",
        "  → `riseml logs 14.build` shows the full log.",
    ]
    assert max(map(len, first.splitlines())) < 60
    assert second == "14.build FINISHED after 48 seconds.\n"


def test_a_search_shows_how_its_own_packages_are_installed(
    engine: FakeEngine,
    screen: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen(80)
    engine.events = [Chunk("14.build-search", b"==> pip install optuna\nCollecting\n")]
    run = _run(job("14.build-search", started=ago(seconds=41)))
    engine.runs = [run]
    lines = build_progress.of_run(
        cast("Client", _Changes(engine, [run])), run, terminal.stdout(), clock.now()
    )
    assert list(lines) == [
        "",
        "14.build-search has run for 41 seconds; pip install optuna",
        "  | Collecting",
        "  → `riseml logs 14.build-search` shows the full log.",
    ]


def test_a_failed_build_says_who_explains_it(
    engine: FakeEngine,
    screen: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen(80)
    _follow(engine, RUNNING, None, FAILED)
    assert capsys.readouterr().out.endswith(
        "14.build FAILED after 48 seconds; `riseml why 14.build` explains it.\n"
    )


def test_a_build_whose_run_is_killed_is_being_stopped(
    engine: FakeEngine,
    screen: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen(80)
    _follow(engine, RUNNING, None, replace(RUNNING, state=State.KILLED))
    assert capsys.readouterr().out.endswith(
        "\n\x1b[4A\r\x1b[J14.build is being stopped.\n"
    )


def test_a_build_that_waits_says_so(
    engine: FakeEngine,
    screen: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen(80)
    engine.runs = [PENDING]
    client = _Changes(engine, [PENDING, None, FINISHED])
    build_progress.follow(cast("Client", client), "14")
    assert capsys.readouterr().out.startswith(
        "14.build is PENDING; `riseml why 14.build` explains it.\n"
    )


def test_a_build_that_argo_calls_pending_shows_its_step(
    engine: FakeEngine,
    screen: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen(80)
    engine.events = [Chunk("14.build", LOG)]
    engine.runs = [PENDING]
    client = _Changes(engine, [PENDING, None, FINISHED])
    build_progress.follow(cast("Client", client), "14")
    assert capsys.readouterr().out.splitlines()[:3] == [
        "",
        "14.build has started; step 1 of 2: pip install -r requirements.txt",
        "  |   Downloading torch-2.9-cp312-manylinux_x86_64.whl (888.1 MB)",
    ]


def test_a_build_that_exists_shows_nothing(
    engine: FakeEngine,
    screen: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen(80)
    _follow(engine, RUNNING, FINISHED)
    assert capsys.readouterr().out == ""


def test_where_no_line_can_be_redrawn_one_names_the_log(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    _follow(engine, RUNNING, None, FINISHED)
    assert (
        capsys.readouterr().err
        == "Install steps that are not done yet run first; `riseml logs 14.build` shows them.\n"
    )


def test_ctrl_c_leaves_the_run_alone(
    engine: FakeEngine,
    screen: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(_id: str, *, tick: float) -> Iterator[SetStatus | None]:
        yield RUNNING
        raise KeyboardInterrupt

    screen(80)
    client = SimpleNamespace(changes=interrupted, engine=engine)
    build_progress.follow(cast("Client", client), "14")
    assert (
        capsys.readouterr().err == "\nExperiment 14 continues in the background: "
        "`riseml logs 14` shows its log again, `riseml kill 14` stops it.\n"
    )
    assert engine.calls == []
