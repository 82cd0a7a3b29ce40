"""TensorBoard beside a run: it can be opened, and its failures never affect the experiments."""

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
from riseml.engines import Chunk, LogQuery
from riseml.engines.capabilities import HasLocalOutput, ServesTensorBoard
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
    """A lab whose runs continue until `go`, with a substitute for TensorBoard."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.engine, self.folder = lab, lab.engine, folder

    def train(self, text: str = UNTIL_GO, program: str = tensorboards.SERVES) -> None:
        path = tensorboards.path_with(self.folder / "bin", tensorboard=program)
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
        for process in processes_of(self.engine.home):
            # Other processes of the home may end while they are examined.
            with suppress(psutil.Error):
                if "--logdir" in process.cmdline():
                    supervisor = psutil.Process(os.getsid(process.pid))
                    return [supervisor, *supervisor.children(recursive=True)]
        log = protocol.log_file(self.engine.home).read_text()
        raise AssertionError(f"no TensorBoard is running:\n{log}")


@pytest.fixture
def show(lab: Lab, tmp_path: Path) -> Show:
    return Show(lab, tmp_path)


def get(url: str | None) -> str:
    """Return what a server of this machine answers."""
    parts = urlsplit(url or "")
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_one_tensorboard_serves_all_experiments_while_they_run(show: Show) -> None:
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
    run = show.engine.read(RUN)
    assert (run.state, run.counts, run.tensorboard_url) == (
        State.FINISHED,
        {State.FINISHED: 2},
        None,
    )
    assert show.engine.tensorboard_url(RUN) is None


def test_a_run_without_a_tensorboard_has_no_url(show: Show) -> None:
    show.lab.run("run: 'true'")
    assert show.engine.tensorboard_url(RUN) is None
    assert show.engine.folder(Id(number=1, sub=1)) == show.engine.folder(RUN)
    with pytest.raises(NotFoundError):
        show.engine.tensorboard_url(Id(number=2))


def test_train_returns_the_url(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_it_starts_with_its_run_and_uses_none_of_its_resources(show: Show) -> None:
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


def test_it_ends_with_a_set_whose_experiments_were_killed_while_waiting(
    show: Show,
) -> None:
    show.train("run: sleep 1000\nresources: {cpus: 4, mem: 1}")
    show.lab.train(SET, GO=str(show.folder / "go"))
    for sub in (1, 2):
        show.engine.stop(Id(number=2, sub=sub))
    assert show.lab.wait(2).state is State.KILLED
    show.lab.until(lambda: show.engine.reader.store().unfinished() == [1], "its end")
    (job,) = show.engine.read(Id(number=2)).jobs
    assert job.state is State.KILLED


def test_it_keeps_its_address_when_the_controller_restarts(show: Show) -> None:
    show.train()
    show.says("it serves")
    url = show.engine.tensorboard_url(RUN)
    protocol.stop_controller(show.engine.home)
    protocol.ensure(show.engine.home)
    assert show.engine.tensorboard_url(RUN) == url
    assert get(url)
    show.go()
    assert show.lab.wait(1).state is State.FINISHED


@pytest.mark.parametrize(
    ("program", "message"),
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
def test_its_failures_do_not_affect_experiments(
    text: str, program: str, message: str, show: Show
) -> None:
    show.train(text, program)
    show.says(message)
    assert (show.job.state, show.engine.read(RUN).state) == (
        State.RUNNING,
        State.RUNNING,
    )
    show.go()
    assert show.lab.wait(1).state is State.FINISHED
    show.lab.until(lambda: not show.engine.reader.store().unfinished(), "its end")
    assert show.job.state is State.KILLED
    assert {experiment.state for experiment in show.engine.read(RUN).experiments} == {
        State.FINISHED
    }


def test_the_log_explains_a_missing_tensorboard(show: Show) -> None:
    python = {"python3": tensorboards.WORTHLESS, "python": tensorboards.WORTHLESS}
    path = tensorboards.path_with(show.folder / "bin", **python)
    show.lab.train(UNTIL_GO, PATH=path, GO=str(show.folder / "go"))
    show.says(
        "riseml: no working tensorboard is installed; the experiments continue without it."
    )
    show.go()
    assert show.lab.wait(1).state is State.FINISHED


def test_a_killed_tensorboard_restarts(show: Show) -> None:
    show.train()
    show.says("it serves")
    show.processes()[-1].kill()
    show.says("it restarts in 5 seconds")
    show.lab.until(lambda: show.log().count("it serves") == 2, "the next one")
    assert get(show.engine.tensorboard_url(RUN))
    show.go()
    assert show.lab.wait(1).state is State.FINISHED


def test_a_tensorboard_killed_with_its_supervisor_fails_alone(show: Show) -> None:
    show.train()
    show.says("it serves")
    show.processes()[0].kill()
    show.lab.until(lambda: show.job.state is State.FAILED, "the end of the job")
    assert show.engine.read(RUN).state is State.RUNNING
    assert show.engine.tensorboard_url(RUN) is None
    show.go()
    assert show.lab.wait(1).state is State.FINISHED
    assert show.engine.read(RUN).counts == {State.FINISHED: 1}


def test_a_tensorboard_that_cannot_start_fails_alone(
    show: Show, tmp_path: Path
) -> None:
    # The other run waits for the cores, so its log can be made impossible.
    blocks = f"run: 'until [ -e {tmp_path}/free ]; do sleep 0.05; done'"
    show.lab.train(f"resources: {{cpus: 4, mem: 1}}\n{blocks}")
    show.train()
    run, engine = Id(number=2), show.engine
    log = show.lab.output(2) / ".riseml/logs/tensorboard.0.log"
    log.mkdir(parents=True)
    (tmp_path / "free").touch()
    show.lab.until(lambda: engine.read(run).jobs[0].state.is_terminal, "its end")
    assert engine.read(run).jobs[0].state is State.FAILED
    assert engine.tensorboard_url(run) is None
    show.go()
    assert show.lab.wait(2).state is State.FINISHED
    assert engine.read(run).counts == {State.FINISHED: 1}


def test_it_is_killed_with_its_run(show: Show) -> None:
    show.train()
    show.says("it serves")
    url = show.engine.tensorboard_url(RUN)
    show.engine.stop(RUN)
    assert show.lab.wait(1).state is State.KILLED
    show.lab.until(lambda: not show.engine.reader.store().unfinished(), "its end")
    assert show.job.state is State.KILLED
    with pytest.raises(ConnectionError):
        get(url)


@contextmanager
def frozen(show: Show) -> Iterator[list[psutil.Process]]:
    """Keep the TensorBoard job from receiving signals."""
    processes = show.processes()
    for process in processes:
        # The job's shell runs short-lived programs, too.
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
    # A process that has not been scheduled yet would see a later SIGTERM first: the kernel
    # delivers the signal with the smaller number.
    show.lab.until(lambda: all(map(is_stopped, processes)), "the freeze")
    try:
        yield processes
    finally:
        thaw(processes)


def is_stopped(process: psutil.Process) -> bool:
    """Return whether a process is stopped, or gone."""
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return True


def thaw(processes: list[psutil.Process]) -> None:
    for process in reversed(processes):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("text", [UNTIL_GO, SET], ids=["one", "set"])
def test_only_deleting_the_run_waits_for_its_end(text: str, show: Show) -> None:
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


def test_deleting_the_run_waits_until_it_has_ended(show: Show) -> None:
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
