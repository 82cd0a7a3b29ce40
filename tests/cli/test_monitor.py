"""Screens and documents of `riseml monitor`, with an engine whose jobs use exact amounts.

The variable REGENERATE=1 rewrites the screens.
"""

import csv
import io
import json
import math
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from riseml.cli import usage_screen
from riseml.cli.terminal import Terminal
from riseml.cli.usage_screen import History
from riseml.ids import Id
from riseml.plan import Resources
from riseml.readings import GpuUsage, JobUsage
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, ago, single
from tests.cli.test_schemas import validate
from tests.cli.test_watch import Screen, last_screen

SCREENS = Path(__file__).parent / "usage_screens"
MB, GB = 1_000_000, 1_000_000_000
CARD = GpuUsage(
    "GPU-8d1c",
    3,
    "NVIDIA H100 80GB HBM3",
    "00000000:65:00.0",
    util=0.87,
    mem=61 << 30,
    mem_total=80 << 30,
    power=510.6,
    power_limit=700.0,
    temp=61.0,
    job_util=0.8,
    job_mem=60 << 30,
)
SLICE = GpuUsage("MIG-1", 0, "NVIDIA H100 MIG 1g.10gb")
TRAIN = JobUsage(
    "14.1.train",
    project="digits",
    type="train",
    started=ago(minutes=5),
    cpu=1.62,
    mem=1_612_000_000,
    disk_read=12.4 * MB,
    disk_written=0.0,
    requested=Resources(Decimal(2), 128 * MB, 1),
    gpus=(CARD,),
)
WORKER = JobUsage(
    "15.worker.2",
    project="mnist",
    type="worker",
    started=ago(minutes=1),
    cpu=0.04,
    mem=96 * MB,
    disk_read=0.0,
    disk_written=2_048.0,
    net_received=1.5 * MB,
    net_sent=20_000.0,
    requested=Resources(Decimal("0.5"), 2 * GB, 2),
    gpus=(SLICE, replace(SLICE, id="MIG-2")),
)
PLAIN = JobUsage(
    "16.train",
    project="digits",
    type="train",
    cpu=3.0,
    mem=2 * GB,
    requested=Resources(Decimal(4), 4 * GB, 0),
    note="jobs share the network of this machine",
)
STARTING = JobUsage("17.train", note="its processes are about to start")
JOBS = [TRAIN, WORKER, PLAIN, STARTING]


class View:
    """View with the readings of an engine."""

    def __init__(self, engine: "MonitoredEngine") -> None:
        self._engine, self._remaining = engine, iter(engine.readings)

    def read(self) -> list[JobUsage]:
        reading = next(self._remaining, None)
        if reading is None:
            raise KeyboardInterrupt
        return reading

    def close(self) -> None:
        self._engine.closed += 1


class MonitoredEngine(FakeEngine):
    """Engine whose view has the readings of a test; Ctrl-C follows the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.readings: list[list[JobUsage]] = []
        self.selected: list[Id] = []
        self.closed = 0

    def usage(self, selected: Id) -> View:
        self.selected.append(selected)
        return View(self)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> MonitoredEngine:
    fake = MonitoredEngine()
    monkeypatch.setattr("riseml.client.context.open_engine", lambda settings: fake)
    return fake


def readings(count: int) -> list[list[JobUsage]]:
    """Return readings of jobs whose use rises and falls."""
    taken = []
    for step in range(count):
        share = (1 + math.sin(step / 8)) / 2
        train = replace(TRAIN, cpu=2 * share, mem=int(2 * GB * step / count))
        gpu = replace(CARD, job_util=share)
        taken.append([replace(train, gpus=(gpu,)), WORKER, PLAIN, STARTING])
    return [*taken, JOBS]


def compare(name: str, text: str) -> None:
    file = SCREENS / f"{name}.txt"
    if os.environ.get("REGENERATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_a_long_note_is_wrapped() -> None:
    note = "jobs share the network of this machine, so it is not measured here at all"
    terminal = Terminal(width=40)
    lines = usage_screen.lines([replace(PLAIN, note=note)], History(), terminal)
    assert lines[-2:] == [
        "jobs share the network of this machine,",
        "so it is not measured here at all",
    ]


def test_gpus_that_nobody_measures_are_not_called_idle() -> None:
    (line, *_) = usage_screen.lines([WORKER], History(), Terminal())
    assert line == "1 job: 0.04 cores, 96 MB memory, 2 GPUs"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_screen(
    width: int, engine: MonitoredEngine, riseml: Riseml, screen: Screen
) -> None:
    engine.readings = readings(60)
    screen(width=width, colour=False)
    result = riseml("monitor")
    lines = last_screen(result.out, width)
    assert [line for line in lines if len(line) > width] == []
    compare(f"jobs-{width}", "\n".join(lines) + f"\n2> {result.err.strip()}\n")
    assert (engine.selected, engine.closed) == ([Id()], 1)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_screen_of_gpus(
    width: int, engine: MonitoredEngine, riseml: Riseml, screen: Screen
) -> None:
    engine.readings = [JOBS]
    screen(width=width, colour=False)
    lines = last_screen(riseml("monitor", "-g").out, width)
    assert [line for line in lines if len(line) > width] == []
    compare(f"gpus-{width}", "\n".join(lines) + "\n")


def test_screen_without_block_characters(
    engine: MonitoredEngine, riseml: Riseml, screen: Screen
) -> None:
    engine.readings = readings(60)
    screen(width=140, colour=False, unicode=False)
    out = riseml("monitor").out
    assert out.isascii()
    compare("jobs-ascii", "\n".join(last_screen(out, 140)) + "\n")


def test_plain_mode_has_statements(
    engine: MonitoredEngine, riseml: Riseml, screen: Screen
) -> None:
    engine.readings = [JOBS]
    screen(plain=True)
    out = riseml("monitor").out
    assert "JOB ID 14.1.train, CPU 1.6/2 cores, MEM 1.6 GB of 128 MB, GPU 0.8/1," in out
    assert "\x1b" not in out


def test_memory_above_the_request_is_red(
    engine: MonitoredEngine, riseml: Riseml, screen: Screen
) -> None:
    engine.readings = [JOBS]
    screen(width=140)
    assert "\x1b[31m1.6 GB of 128 MB" in riseml("monitor").out


def test_the_most_active_jobs_have_the_rows() -> None:
    usages = []
    for number in range(100):
        cpu = 1.0 if number in (7, 70) else number / 1000
        usages.append(JobUsage(f"14.{number}.train", cpu=cpu, mem=10 * MB))
    history = History()
    history.add(usages)
    lines = usage_screen.lines(usages, history, Terminal(width=80), room=10)
    assert len(lines) <= 10
    rows = [line.split()[0] for line in lines if line.startswith("14.")]
    assert rows[:3] == ["14.7.train", "14.70.train", "14.99.train"]
    hidden = 100 - len(rows)
    assert any(
        line.startswith(f"and {hidden} of 100 jobs that are less active: ")
        for line in lines
    )
    # Without need, rows do not move.
    complete = usage_screen.lines(usages[:3], history, Terminal(width=80), room=20)
    rows = [line.split()[0] for line in complete if line.startswith("14.")]
    assert rows == ["14.0.train", "14.1.train", "14.2.train"]


def test_json_is_one_reading_that_fits_its_schema(
    engine: MonitoredEngine, riseml: Riseml
) -> None:
    engine.readings = [JOBS, []]
    data = validate("monitor", riseml("monitor", "-o", "json").out)
    assert data["time"] == "2018-01-31T12:00:00Z"
    train, worker, plain, starting = data["jobs"]
    assert (train["id"], train["cpu"], train["mem"]) == ("14.1.train", 1.62, 1612 * MB)
    assert (train["gpu_util"], train["gpu_mem"]) == (0.8, 60 << 30)
    assert train["resources"] == {**train["resources"], "cpus": 2.0, "mem": 128 * MB}
    assert train["gpus"][0]["power"] == 510.6
    assert (worker["gpu_util"], worker["net_received"]) == (None, 1.5 * MB)
    assert plain["gpus"] == []
    assert starting["mem"] is None
    assert engine.closed == 1


def test_watched_json_is_a_document_per_line(
    engine: MonitoredEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("riseml.cli.monitor.sleep", pauses.append)
    engine.readings = [JOBS, JOBS[:1]]
    result = riseml("monitor", "-w", "-i", "30s", "-o", "json")
    documents = [json.loads(line) for line in result.out.splitlines()]
    assert [len(document["jobs"]) for document in documents] == [4, 1]
    assert pauses == [30.0, 30.0]


def test_watched_csv_has_one_line_of_titles(
    engine: MonitoredEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riseml.cli.monitor.sleep", lambda _: None)
    engine.readings = [JOBS, JOBS[:1]]
    rows = list(csv.reader(io.StringIO(riseml("monitor", "-w", "-o", "csv").out)))
    assert rows[0][:3] == ["time", "id", "project"]
    assert [row[1] for row in rows[1:]] == [
        "14.1.train",
        "15.worker.2",
        "16.train",
        "17.train",
        "14.1.train",
    ]


def test_names_and_yaml(engine: MonitoredEngine, riseml: Riseml) -> None:
    engine.readings = [JOBS]
    names = riseml("monitor", "-o", "name").out.splitlines()
    assert names == ["14.1.train", "15.worker.2", "16.train", "17.train"]
    assert "- id: '14.1.train'\n" in riseml("monitor", "-o", "yaml").out


def test_a_pipe_gets_one_table(engine: MonitoredEngine, riseml: Riseml) -> None:
    engine.readings = [JOBS, JOBS]
    result = riseml("monitor")
    assert result.out.count("14.1.train") == 1
    assert riseml("monitor", "-o", "wide").out.count("digits") == 2


def test_once_on_a_terminal(
    engine: MonitoredEngine, riseml: Riseml, screen: Screen
) -> None:
    engine.readings = [JOBS, JOBS]
    screen(width=80, colour=False)
    out = riseml("monitor", "--once").out
    assert "\x1b" not in out
    assert out.count("14.1.train") == 1


def test_it_says_once_that_nothing_is_running(
    engine: MonitoredEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riseml.cli.monitor.sleep", lambda _: None)
    engine.readings = [[], [], JOBS[:1], [], []]
    result = riseml("monitor", "-w")
    assert result.err.count("Nothing is running.") == 2
    assert result.out.count("14.1.train") == 1


def test_nothing_is_running(engine: MonitoredEngine, riseml: Riseml) -> None:
    engine.readings = [[]]
    result = riseml("monitor")
    assert (result.status, result.out, result.err) == (0, "", "Nothing is running.\n")
    assert json.loads(riseml("monitor", "-o", "json").out)["jobs"] == []


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State.PENDING, "No job of 14 is running; `riseml status 14` says why.\n"),
        (
            State.FINISHED,
            "14 has ended: FINISHED. `riseml status 14 -o wide` shows what it used.\n",
        ),
    ],
)
def test_a_run_without_jobs_says_why(
    engine: MonitoredEngine, riseml: Riseml, state: State, text: str
) -> None:
    engine.runs, engine.readings = [single(14, state)], [[]]
    result = riseml("monitor", "14")
    assert (result.status, result.out, result.err) == (0, "", text)
    assert engine.selected == [Id(number=14)]


def test_the_view_of_a_run_ends_with_it(
    engine: MonitoredEngine, riseml: Riseml, screen: Screen
) -> None:
    engine.runs = [single(14, State.FINISHED)]
    engine.readings = [[TRAIN], []]
    screen(width=80, colour=False)
    result = riseml("monitor", "14.train")
    lines = last_screen(result.out, 80)
    assert any(line.startswith("14.train has ended: FINISHED.") for line in lines)
    assert "Ctrl-C" not in result.err


def test_an_unknown_run_is_an_error(engine: MonitoredEngine, riseml: Riseml) -> None:
    engine.runs = [single(14)]
    assert riseml("monitor", "99").status != 0
    assert riseml("monitor", "14.worker").status != 0
    assert engine.selected == []


def test_an_engine_that_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, riseml: Riseml
) -> None:
    fake: Any = FakeEngine()
    monkeypatch.setattr("riseml.client.context.open_engine", lambda settings: fake)
    result = riseml("monitor")
    assert result.err.startswith("riseml: error: the engine fake does not know")
