"""TensorBoard beside a run: it can be opened, and whatever becomes of it, the experiments never notice."""

import http.client
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from urllib.parse import urlsplit

import psutil
import pytest

from riseml.client.client import Client
from riseml.engines import Chunk, HasLocalOutput, LogQuery, ServesTensorBoard
from riseml.engines.local import protocol
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.status import JobStatus, State
from tests.local import tensorboards
from tests.local.conftest import Lab, processes_of

RUN = Id(number=1)
UNTIL_GO = """
framework: tensorflow
run: 'until [ -e "$GO" ]; do sleep 0.05; done'
"""
SET = f"{UNTIL_GO}parameters: {{lr: [1, 2]}}\nconcurrency: 2\n"


class Show:
    """A lab whose runs go on until `go`, with a stand-in for TensorBoard."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.engine, self.folder = lab, lab.engine, folder

    def train(self, text: str = UNTIL_GO, board: str = tensorboards.SERVES) -> None:
        path = tensorboards.path_with(self.folder / "bin", tensorboard=board)
        self.lab.train(text, PATH=path, GO=str(self.folder / "go"))

    def go(self) -> None:
        (self.folder / "go").touch()

    @property
    def job(self) -> JobStatus:
        (job,) = self.engine.read(RUN).jobs
        return job

    def log(self) -> str:
        events = self.engine.logs(
            LogQuery(Id(number=1, type="tensorboard"), follow=False)
        )
        return b"".join(
            event.data for event in events if isinstance(event, Chunk)
        ).decode()

    def says(self, text: str) -> None:
        self.lab.until(lambda: text in self.log(), text)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the TensorBoard job, its supervisor first."""
        program = next(
            each
            for each in processes_of(self.engine.home)
            if "--logdir" in each.cmdline()
        )
        supervisor = psutil.Process(os.getsid(program.pid))
        return [supervisor, *supervisor.children(recursive=True)]


@pytest.fixture
def show(lab: Lab, tmp_path: Path) -> Show:
    return Show(lab, tmp_path)


def get(url: str | None) -> str:
    """Ask an address of this machine."""
    parts = urlsplit(url or "")
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_one_for_all_experiments_while_they_run(show: Show) -> None:
    assert isinstance(show.engine, ServesTensorBoard)
    assert isinstance(show.engine, HasLocalOutput)
    show.train(SET)
    show.says("it serves")
    show.lab.until(lambda: show.lab.output(1, 2).exists(), "the second experiment")
    assert get(show.engine.tensorboard_url(RUN)).split()[1:] == [".riseml", "1", "2"]
    assert show.engine.read(RUN).tensorboard_url == show.engine.tensorboard_url(RUN)
    assert next(
        show.engine.changes(RUN)
    ).tensorboard_url == show.engine.tensorboard_url(RUN)  # type: ignore[union-attr]
    program = show.processes()[-1]
    assert "--logdir" in program.cmdline()
    assert program.nice() > 0
    assert program.environ()["CUDA_VISIBLE_DEVICES"] == ""
    show.go()
    assert show.lab.wait(1).state is State.FINISHED
    show.lab.until(lambda: show.job.state.is_terminal, "its end")
    assert (show.job.state, show.job.reason) == (State.KILLED, "KILLED")
    whole = show.engine.read(RUN)
    assert (whole.state, whole.counts, whole.tensorboard_url) == (
        State.FINISHED,
        {State.FINISHED: 2},
        None,
    )
    assert show.engine.tensorboard_url(RUN) is None


def test_an_engine_knows_of_no_other_boards(show: Show) -> None:
    show.lab.run("run: 'true'")
    assert show.engine.tensorboard_url(RUN) is None
    assert show.engine.folder(Id(number=1, sub=1)) == show.engine.folder(RUN)
    with pytest.raises(NotFoundError):
        show.engine.tensorboard_url(Id(number=2))


def test_a_train_knows_its_address_at_once(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "project: lab\ntrain:\n  image: busybox\n  resources: {cpus: 0.01, mem: 1}"
        + UNTIL_GO.replace("\n", "\n  ")
    )
    (show.lab.folder / "riseml.yml").write_text(text)
    monkeypatch.setenv(
        "PATH",
        tensorboards.path_with(show.folder / "bin", tensorboard=tensorboards.SERVES),
    )
    monkeypatch.setenv("GO", str(show.folder / "go"))
    run = Client(engine=show.engine).train(show.lab.folder / "riseml.yml")
    assert run.tensorboard is not None
    assert run.tensorboard == show.engine.tensorboard_url(RUN)
    show.go()


def test_it_begins_with_its_run_and_takes_no_room_from_it(show: Show) -> None:
    show.train(UNTIL_GO + "resources: {cpus: 4, mem: 1}")
    show.says("it serves")
    show.lab.train(
        UNTIL_GO + "resources: {cpus: 4, mem: 1}", GO=str(show.folder / "go")
    )
    second = Id(number=2)
    show.lab.until(
        lambda: show.engine.read(second).experiments[0].reason == "UNSCHEDULABLE",
        "the wait",
    )
    (job,) = show.engine.read(second).jobs
    assert (job.state, job.reason, show.engine.tensorboard_url(second)) == (
        State.PENDING,
        "UNSCHEDULABLE",
        None,
    )
    show.go()
    assert show.lab.wait(2).state is State.FINISHED


def test_a_set_whose_experiments_were_killed_while_they_waited(show: Show) -> None:
    show.train("run: sleep 1000\nresources: {cpus: 4, mem: 1}")
    show.lab.train(SET, GO=str(show.folder / "go"))
    for sub in (1, 2):
        show.engine.stop(Id(number=2, sub=sub))
    assert show.lab.wait(2).state is State.KILLED
    show.lab.until(lambda: show.engine.store().unfinished() == [1], "its end")
    (job,) = show.engine.read(Id(number=2)).jobs
    assert job.state is State.KILLED


def test_it_outlives_its_controller_at_the_same_address(show: Show) -> None:
    show.train()
    show.says("it serves")
    before = show.engine.tensorboard_url(RUN)
    protocol.stop_controller(show.engine.home)
    protocol.ensure(show.engine.home)
    assert show.engine.tensorboard_url(RUN) == before
    assert get(before)
    show.go()
    assert show.lab.wait(1).state is State.FINISHED


@pytest.mark.parametrize(
    ("board", "said"),
    [
        (
            tensorboards.FAILS,
            "no flag --port\nriseml: tensorboard exited with status 1; the experiments continue\n",
        ),
        (
            tensorboards.DIES,
            "riseml: tensorboard exited with status 137 (killed, most likely because memory ran out);",
        ),
        (
            "#!/bin/sh\nnobody-has-this\n",
            "riseml: Add 'pip install tensorboard' to the image or to install",
        ),
        (tensorboards.STUBBORN, "it serves"),
    ],
    ids=["fails", "killed", "cannot run", "ignores TERM"],
)
@pytest.mark.parametrize("text", [UNTIL_GO, SET], ids=["one", "set"])
def test_whatever_it_does_harms_nobody(
    text: str, board: str, said: str, show: Show
) -> None:
    show.train(text, board)
    show.says(said)
    assert (show.job.state, show.engine.read(RUN).state) == (
        State.RUNNING,
        State.RUNNING,
    )
    show.go()
    assert show.lab.wait(1).state is State.FINISHED
    show.lab.until(lambda: not show.engine.store().unfinished(), "its end")
    assert show.job.state is State.KILLED
    assert {each.state for each in show.engine.read(RUN).experiments} == {
        State.FINISHED
    }


def test_it_is_told_where_none_is(show: Show) -> None:
    python = {"python3": tensorboards.WORTHLESS, "python": tensorboards.WORTHLESS}
    path = tensorboards.path_with(show.folder / "bin", **python)
    show.lab.train(UNTIL_GO, PATH=path, GO=str(show.folder / "go"))
    show.says(
        "riseml: no working tensorboard is installed; the experiments continue without it."
    )
    show.go()
    assert show.lab.wait(1).state is State.FINISHED


def test_a_killed_one_begins_again(show: Show) -> None:
    show.train()
    show.says("it serves")
    show.processes()[-1].kill()
    show.says("it restarts in 5 seconds")
    show.lab.until(lambda: show.log().count("it serves") == 2, "the next one")
    assert get(show.engine.tensorboard_url(RUN))
    show.go()
    assert show.lab.wait(1).state is State.FINISHED


def test_one_that_is_killed_with_its_supervisor(show: Show) -> None:
    show.train()
    show.says("it serves")
    show.processes()[0].kill()
    show.lab.until(lambda: show.job.state is State.FAILED, "the end of the job")
    assert show.engine.read(RUN).state is State.RUNNING
    assert show.engine.tensorboard_url(RUN) is None
    show.go()
    assert show.lab.wait(1).state is State.FINISHED
    assert show.engine.read(RUN).counts == {State.FINISHED: 1}


def test_one_that_can_never_start(show: Show) -> None:
    (show.engine.home / "output/me/lab/1/.riseml/logs/tensorboard.0.log").mkdir(
        parents=True
    )
    show.train()
    show.lab.until(lambda: show.job.state.is_terminal, "the end of the job")
    assert show.engine.tensorboard_url(RUN) is None
    show.go()
    assert show.lab.wait(1).state is State.FINISHED
    assert show.engine.read(RUN).counts == {State.FINISHED: 1}


def test_killing_the_run_ends_it(show: Show) -> None:
    show.train()
    show.says("it serves")
    url = show.engine.tensorboard_url(RUN)
    show.engine.stop(RUN)
    assert show.lab.wait(1).state is State.KILLED
    show.lab.until(lambda: not show.engine.store().unfinished(), "its end")
    assert show.job.state is State.KILLED
    with pytest.raises(ConnectionError):
        get(url)


@contextmanager
def frozen(show: Show) -> Iterator[list[psutil.Process]]:
    """Let the TensorBoard job hear of nothing."""
    processes = show.processes()
    for each in processes:
        each.send_signal(signal.SIGSTOP)
    try:
        yield processes
    finally:
        thaw(processes)


def thaw(processes: list[psutil.Process]) -> None:
    for each in reversed(processes):
        with suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("text", [UNTIL_GO, SET], ids=["one", "set"])
def test_nobody_waits_for_it_but_who_deletes_the_run(text: str, show: Show) -> None:
    show.train(text)
    show.says("it serves")
    with frozen(show):
        show.go()
        assert show.lab.wait(1).state is State.FINISHED
        assert list(show.engine.logs(LogQuery(RUN)))
        assert show.processes()
    show.engine.delete(RUN)
    with pytest.raises(NotFoundError):
        show.engine.read(RUN)


def test_a_deletion_waits_for_its_end(show: Show) -> None:
    show.train()
    show.says("it serves")
    with frozen(show) as processes:
        show.go()
        show.lab.wait(1)
        timer = Timer(0.3, thaw, [processes])
        timer.start()
        show.engine.delete(RUN)
        timer.join()
    assert not show.lab.engine.home.joinpath("output/me/lab/1").exists()
