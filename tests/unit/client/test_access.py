"""Choice of the job that `exec` and `shell` reach, with an engine in memory."""

from dataclasses import dataclass, field, replace

import pytest

from riseml.client.client import Client
from riseml.engines.access import Command, Outcome, Streams
from riseml.errors import InvalidInputError, NotFoundError, UnsupportedError
from riseml.status import JobStatus, SetStatus, State
from tests.cli.fake_engine import FakeEngine, grid, job, single


@dataclass
class FakeAccess:
    """A job in which every command ends with status 5."""

    id: str
    commands: list[Command]
    job_ended: bool = False
    is_closed: bool = False

    def run(self, command: Command) -> Outcome:
        self.commands.append(command)
        return Outcome(5, self.job_ended)

    def close(self) -> None:
        self.is_closed = True


@dataclass
class AccessibleEngine(FakeEngine):
    """Engine that records the jobs which were reached."""

    opened: list[FakeAccess] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    job_ended: bool = False

    def access(self, run: SetStatus, job: JobStatus) -> FakeAccess:
        assert job.id.startswith(run.id)
        if job.state is not State.RUNNING:
            raise NotFoundError(f"{job.id} has no running pod")
        self.opened.append(FakeAccess(job.id, self.commands, self.job_ended))
        return self.opened[-1]


def client(
    *runs: SetStatus, job_ended: bool = False
) -> tuple[Client, AccessibleEngine]:
    engine = AccessibleEngine(list(runs), job_ended=job_ended)
    return Client(engine=engine), engine


def test_the_only_job_needs_no_name() -> None:
    riseml, engine = client(single(14))
    assert riseml.exec("14", ["ls", "-l"], streams=Streams(7, 8, 9)) == 5
    assert [access.id for access in engine.opened] == ["14.train"]
    assert all(access.is_closed for access in engine.opened)
    assert engine.commands == [Command(("ls", "-l"), None, Streams(7, 8, 9), "")]


def test_a_shell_says_where_it_is() -> None:
    riseml, engine = client(single(14))
    assert riseml.shell("14.train", tty=True) == 5
    (command,) = engine.commands
    assert (command.argv, command.tty) == ((), True)
    assert command.greeting.format(directory="/code") == (
        "This is a shell in job 14.train, in /code.\n"
        "`exit` or Ctrl-D leaves it; the job goes on."
    )


@pytest.mark.parametrize(
    ("words", "subject"), [((), "this shell"), (("ls",), "this command")]
)
def test_the_end_of_the_job_is_noted(words: tuple[str, ...], subject: str) -> None:
    riseml, _ = client(single(14), job_ended=True)
    notes: list[str] = []
    if words:
        riseml.exec("14", words, on_note=notes.append)
    else:
        riseml.shell("14", on_note=notes.append)
    assert notes == [f"riseml: 14.train has ended, and {subject} with it"]


def test_of_several_jobs_one_is_named() -> None:
    run = single(14)
    workers = tuple(job(f"14.worker.{index}") for index in (1, 2))
    ended = job("14.ps", State.FINISHED)
    experiment = replace(run.experiments[0], jobs=(ended, *workers))
    riseml, engine = client(replace(run, experiments=(experiment,)))
    with pytest.raises(InvalidInputError) as caught:
        riseml.exec("14", ["ls"])
    assert str(caught.value) == "14 has 2 running jobs"
    assert caught.value.advice == "Name one: 14.worker.1, 14.worker.2."
    assert riseml.exec("14.worker.2", ["ls"]) == 5
    assert [access.id for access in engine.opened] == ["14.worker.2"]


@pytest.mark.parametrize("state", [State.CREATED, State.PENDING, State.STARTING])
def test_a_job_that_has_not_started_is_refused(state: State) -> None:
    riseml, _ = client(single(14, state))
    with pytest.raises(NotFoundError) as caught:
        riseml.exec("14", ["ls"])
    assert str(caught.value) == f"14 is not running: it is {state}"
    assert caught.value.advice == "`riseml why 14` says why."


def test_an_ended_job_is_refused_with_the_way_to_its_output() -> None:
    riseml, _ = client(single(14, State.FAILED))
    with pytest.raises(NotFoundError) as caught:
        riseml.shell("14")
    assert str(caught.value) == "14 has ended: it is FAILED"
    assert "`riseml logs 14` shows what it wrote." in caught.value.advice
    assert "hold_on_failure: 30m" in caught.value.advice


def test_an_engine_without_access_is_named() -> None:
    with pytest.raises(UnsupportedError, match="gives no access to its jobs"):
        Client(engine=FakeEngine([single(14)])).exec("14", ["ls"])


def test_of_a_set_the_only_running_experiment_is_reached() -> None:
    riseml, engine = client(grid(14, [State.FINISHED, State.RUNNING, State.CREATED]))
    assert riseml.exec("14", ["ls"]) == 5
    assert riseml.exec("14.2", ["ls"]) == 5
    assert [access.id for access in engine.opened] == ["14.2.train", "14.2.train"]
    with pytest.raises(NotFoundError, match=r"14\.1 has ended: it is FINISHED"):
        riseml.exec("14.1", ["ls"])
