"""Methods of Client on an engine in memory."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from riseml import ids
from riseml.client.client import Client
from riseml.client.timeouts import ticking
from riseml.engines import Change, Chunk, LogQuery, Query, Submission
from riseml.errors import (
    ConfigError,
    InvalidInputError,
    NotFoundError,
    RiseMLError,
    TimedOutError,
)
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from riseml.status.select import pick
from tests.cli.fake_engine import FakeEngine, grid, single

CONFIG = "project: toaster-net\ntrain:\n  image: busybox\n  resources: {cpus: 1, mem: 64}\n  run: 'true'\n"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(
        runs=[
            single(16),
            grid(15, [State.FINISHED, State.RUNNING, State.FAILED], {1: {"acc": 0.5}}),
            single(14, State.FAILED),
        ]
    )


@pytest.fixture
def client(engine: FakeEngine) -> Client:
    return Client(engine=engine)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    (tmp_path / "riseml.yml").write_text(CONFIG)
    return tmp_path


def test_train_submits_the_plan_and_the_code(
    client: Client, engine: FakeEngine, project: Path
) -> None:
    engine.notes = ("memory is not limited",)
    synced: list[int] = []
    run = client.train(
        project / "riseml.yml", on_sync=lambda snapshot: synced.append(snapshot.files)
    )
    assert (run.id, run.project, run.is_set, run.experiments) == (
        "14",
        "toaster-net",
        False,
        1,
    )
    assert run.notes == ("memory is not limited",)
    assert synced == [3]
    (_, name, folder, gitignore), (_, submission) = engine.calls
    assert (name, folder, gitignore) == ("toaster-net", project, True)
    assert isinstance(submission, Submission)
    assert (submission.plan.config, submission.revision) == (CONFIG, "0" * 40)
    assert submission.environment["RISEML_HOME"] == str(project / "home")


def test_gitignore_is_a_setting_and_an_argument(
    client: Client, engine: FakeEngine, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_GITIGNORE", "no")
    client.train(project / "riseml.yml")
    client.train(project / "riseml.yml", gitignore=True)
    assert [call[3] for call in engine.calls if call[0] == "snapshot"] == [False, True]


def test_a_faulty_file_starts_nothing(
    client: Client, engine: FakeEngine, project: Path
) -> None:
    (project / "riseml.yml").write_text(
        CONFIG.replace("image", "imge") + "  concurrency: 0\n"
    )
    with pytest.raises(ConfigError) as caught:
        client.train(project / "riseml.yml")
    assert len(caught.value.faults) > 1
    assert engine.calls == []
    assert client.check(project / "riseml.yml") == caught.value.faults


def test_check_of_a_good_file_has_no_errors(client: Client, project: Path) -> None:
    assert not [
        fault
        for fault in client.check(project / "riseml.yml")
        if fault.severity == "error"
    ]


def test_measure_counts_the_files_of_a_snapshot(client: Client, project: Path) -> None:
    (project / "fit.py").write_text("x" * 100)
    (project / "big.bin").write_text("x" * 1000)
    (project / ".gitignore").write_text("*.bin\n")
    assert client.measure(project / "riseml.yml") == (2, 106)
    assert client.measure(project / "riseml.yml", gitignore=False) == (3, 1106)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (None, SetStatus, "16"),
        ("15", SetStatus, "15"),
        (".paul.15", SetStatus, "15"),
        ("15.2", ExperimentStatus, "15.2"),
        ("15.2.train", JobStatus, "15.2.train"),
        ("16.train", JobStatus, "16.train"),
    ],
)
def test_status_returns_what_an_id_names(
    name: str | None, kind: type, expected: str, client: Client
) -> None:
    status = client.status(name)
    assert isinstance(status, kind)
    assert status.id == expected


@pytest.mark.parametrize(
    ("name", "error", "advice"),
    [
        ("99", NotFoundError, "status -a"),
        (".mary.15", NotFoundError, "status -a"),
        ("15.4", NotFoundError, "15 has 3 experiments."),
        ("16.1", NotFoundError, "16 is a single experiment."),
        ("16.worker", NotFoundError, "Jobs are 16.train."),
        ("15.train", NotFoundError, ""),
        (".paul", InvalidInputError, "Ids look like"),
        ("1..2", InvalidInputError, "Ids look like"),
    ],
)
def test_status_of_an_unknown_id_is_an_error(
    name: str, error: type[RiseMLError], advice: str, client: Client
) -> None:
    with pytest.raises(error) as caught:
        client.status(name)
    assert advice in caught.value.advice


def test_a_run_without_experiments_has_no_jobs_to_pick() -> None:
    with pytest.raises(NotFoundError):
        pick(SetStatus("3"), ids.parse("3.train"))


def test_runs_asks_the_engine(client: Client, engine: FakeEngine) -> None:
    assert [run.id for run in client.runs(all=True, last=2, project="toaster-net")] == [
        "16",
        "15",
    ]
    assert engine.calls == [("list", Query(all=True, last=2, project="toaster-net"))]


def test_logs_asks_the_engine(client: Client, engine: FakeEngine) -> None:
    engine.events = [Chunk("16.train", b"x\n"), Change("16", "FINISHED")]
    assert list(client.logs(tail=5, follow=False)) == engine.events
    assert engine.calls == [("logs", LogQuery(ids.parse("16"), follow=False, tail=5))]


def test_kill_returns_what_it_stopped(client: Client, engine: FakeEngine) -> None:
    killed = client.kill("15", "14", "15.2", force=True)
    assert [
        (result.id, result.is_set, result.stopped, result.state) for result in killed
    ] == [
        ("15", True, True, State.RUNNING),
        ("14", False, False, State.FAILED),
        ("15.2", False, True, State.RUNNING),
    ]
    assert engine.calls == [
        ("stop", "15", True),
        ("stop", "14", True),
        ("stop", "15.2", True),
    ]


@pytest.mark.parametrize(
    "names",
    [("15", "15.2.train"), ("15", ".paul"), ("15", "99"), ("15", "15.9"), ("15", "?")],
)
def test_kill_stops_nothing_if_one_id_is_wrong(
    names: tuple[str, ...], client: Client, engine: FakeEngine
) -> None:
    with pytest.raises(RiseMLError):
        client.kill(*names)
    assert engine.calls == []


def test_kill_without_ids_stops_the_newest_run(
    client: Client, engine: FakeEngine
) -> None:
    assert [result.id for result in client.kill()] == ["16"]
    engine.runs = engine.runs[2:]
    with pytest.raises(NotFoundError, match="no experiments to kill"):
        client.kill()
    engine.runs = []
    with pytest.raises(NotFoundError, match="no experiments to kill"):
        client.kill()


def test_wait_returns_how_all_ended(client: Client, engine: FakeEngine) -> None:
    engine.later = [single(16, State.FINISHED)]
    assert [result.state for result in client.wait("14", "16")] == [
        State.FAILED,
        State.FINISHED,
    ]
    assert [
        result.state for result in client.wait("15.1", timeout=timedelta(seconds=60))
    ] == [State.FINISHED]


def test_wait_times_out(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def changes(run: object) -> Iterator[SetStatus]:
        yield single(16)
        over.wait(60)

    monkeypatch.setattr(engine, "changes", changes)
    with pytest.raises(
        TimedOutError, match=r"timed out waiting for 16 \(still RUNNING\)"
    ):
        client.wait(timeout=timedelta(0))
    over.set()
    assert TimedOutError.exit_status == 124


def test_a_word_that_names_no_run_is_no_user(client: Client) -> None:
    with pytest.raises(InvalidInputError, match="no run has the name 'toaster-net'"):
        client.kill("toaster-net")


def test_wait_refuses_jobs(client: Client) -> None:
    with pytest.raises(InvalidInputError, match="can only wait for experiments"):
        client.wait("16.train")


def test_ticking_yields_none_while_waiting_and_raises_errors() -> None:
    go = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        go.wait(60)
        yield 2
        raise ValueError("broken")

    ticks = ticking(items(), 0.01)
    assert next(ticks) == 1
    assert next(ticks) is None
    go.set()
    assert next(item for item in ticks if item) == 2
    with pytest.raises(ValueError, match="broken"):
        next(item for item in ticks if item)


def test_results_refuse_ids_of_experiments_and_jobs(client: Client) -> None:
    assert client.results("15", sort="acc").best == "15.1"
    assert client.results(None).rows[0].id == "16"
    for name in ("15.1", "15.1.train"):
        with pytest.raises(InvalidInputError, match="is not a set"):
            client.results(name)


def test_delete_checks_all_ids_first(client: Client, engine: FakeEngine) -> None:
    for names in (["14", "16"], ["14", "15.1"], ["14", "99"], ["14", "14.train"]):
        with pytest.raises(RiseMLError):
            client.delete(*names)
    assert engine.calls == []
    assert client.delete("14", "14") == ["14"]
    assert engine.calls == [("delete", "14")]


def test_prune_deletes_runs_that_ended_long_ago(
    client: Client, engine: FakeEngine
) -> None:
    now = datetime.now(UTC)
    young = SetStatus(
        "20",
        number=20,
        state=State.FINISHED,
        created=now - timedelta(days=30),
        finished=now - timedelta(days=1),
    )
    early = SetStatus(
        "19", number=19, state=State.KILLED, created=now - timedelta(days=30)
    )
    odd = SetStatus("18", number=18, state=State.FAILED)
    engine.runs = [young, early, odd, *engine.runs]
    assert [run.id for run in client.prune(timedelta(days=14), dry_run=True)] == [
        "14",
        "19",
    ]
    assert [call for call in engine.calls if call[0] == "delete"] == []
    assert [run.id for run in client.prune(timedelta(days=14))] == ["14", "19"]
    assert [call for call in engine.calls if call[0] == "delete"] == [
        ("delete", "14"),
        ("delete", "19"),
    ]
    assert [run.id for run in client.runs(all=True)] == ["20", "18", "16", "15"]


def test_changes_with_a_tick(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def changes(run: object) -> Iterator[SetStatus]:
        yield single(16)
        go.wait(60)

    monkeypatch.setattr(engine, "changes", changes)
    statuses = []
    for status in client.changes("16", tick=0.01):
        statuses.append(status)
        if status is None:
            go.set()
    assert isinstance(statuses[0], SetStatus)
    assert set(statuses[1:]) == {None}
    assert [result.id for result in client.changes("16") if result] == ["16"]


def test_a_client_opens_nothing_before_it_is_needed(tmp_path: Path) -> None:
    client = Client(tmp_path / "home")
    assert client.settings.home == tmp_path / "home"
    assert not (tmp_path / "home").exists()
    assert client.runs(all=True) == []
    assert not (tmp_path / "home").exists()
