"""Requests of commands, answered by a controller within the test process."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from riseml import __version__
from riseml.engines import Growth, Submission
from riseml.engines.local import protocol
from riseml.engines.local.controller.server import Server
from riseml.engines.local.engine import LocalEngine
from riseml.errors import (
    ChangedMeanwhileError,
    InvalidInputError,
    NotFoundError,
    RiseMLError,
)
from riseml.ids import Id
from riseml.plan import Experiment, Marks
from riseml.status import State
from tests.unit.engines.local.controlled_home import REVISION, ControlledHome, states
from tests.unit.plans import grid, single

Serve = Callable[[Callable[[LocalEngine], Any]], Any]


@pytest.fixture
def serve(home: ControlledHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Return a function that serves a home while a command runs; it returns the answer."""
    sockets: list[socket.socket] = []

    class ClosedSocket(socket.socket):
        """Socket that is closed after the test: a controller closes its own at its exit."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            sockets.append(self)

    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(socket, "socket", ClosedSocket)
    monkeypatch.setattr(protocol, "is_awaited", lambda: True)
    monkeypatch.setattr(protocol, "report_start", lambda _: None)
    # It exits also if the command hangs.
    monkeypatch.setenv("RISEML_IDLE", "60")

    def serve_command(command: Callable[[LocalEngine], Any]) -> Any:
        outcome: list[Any] = []

        def run() -> None:
            try:
                outcome.append(command(LocalEngine(home.home, "me")))
            except RiseMLError as error:
                outcome.append(error)
            finally:
                protocol.call(home.home, "quit")

        server = Server(home.services, home.runs)
        thread = threading.Thread(target=run, daemon=True)
        # Before it listens, the command would start another controller.
        home.loop.after(0.0, thread.start)
        server.serve()
        thread.join(60)
        (answer,) = outcome
        return answer

    yield serve_command
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, handler)
    for opened in sockets:
        opened.close()


def submission(*subs: int, into: Growth | None = None) -> Submission:
    experiments = tuple(
        Experiment(sub, {"lr": str(sub)}, attempts=1 if into else 0) for sub in subs
    )
    plan = grid({"lr": "1"}, experiments=experiments)
    return Submission(plan, REVISION, {"PATH": "/bin"}, into=into)


def test_a_command_submits_and_kills(serve: Serve) -> None:
    def command(engine: LocalEngine) -> Any:
        submitted = engine.start(submission(1, 2))
        started = engine.read(Id(number=1))
        assert engine.stop(Id(number=1, sub=2))
        assert engine.stop(Id(number=1))
        return submitted, started

    submitted, started = serve(command)
    assert (submitted.number, submitted.name) == (1, "mnist-1")
    assert (submitted.is_set, submitted.experiments) == (True, 2)
    # It is recorded before the answer.
    assert len(started.experiments) == 2


def test_a_set_grows_and_refuses_the_same_again(serve: Serve) -> None:
    def command(engine: LocalEngine) -> Any:
        engine.start(submission(1))
        added = engine.start(submission(2, into=Growth(1, 2)))
        with pytest.raises(ChangedMeanwhileError):
            engine.start(submission(2, into=Growth(1, 2)))
        return added, engine.read(Id(number=1))

    added, run = serve(command)
    assert (added.number, added.experiments) == (1, 1)
    assert [one.id for one in run.experiments] == ["1.1", "1.2"]


def test_marks_are_kept(serve: Serve) -> None:
    def command(engine: LocalEngine) -> Any:
        engine.start(submission(1))
        engine.mark(Id(number=1), Marks("best", ("good",), "a note"))
        return engine.read(Id(number=1)).marks

    assert serve(command) == Marks("best", ("good",), "a note")


def test_a_refusal_travels_as_its_class_with_advice(serve: Serve) -> None:
    error = serve(lambda engine: engine.stop(Id(number=7)))
    assert isinstance(error, NotFoundError)
    assert str(error) == "there is no run 7"
    assert error.advice == "`riseml status -a` lists all runs."


def test_an_unknown_request_is_refused(serve: Serve) -> None:
    error = serve(lambda engine: protocol.call(engine.home, "dance"))
    assert isinstance(error, InvalidInputError)
    assert str(error) == "the controller does not know 'dance'"


def test_an_unexpected_error_ends_no_other_run(
    serve: Serve, home: ControlledHome
) -> None:
    home.start(single())

    def command(engine: LocalEngine) -> Any:
        with pytest.raises(RiseMLError, match="unexpected error in the local contr"):
            protocol.call(engine.home, "stop", number=1, unknown=True)
        return engine.read(Id(number=1))

    assert serve(command).state is State.RUNNING


def test_the_greeting_has_the_version(serve: Serve) -> None:
    versions: list[str] = []

    def suits(greeting: protocol.Greeting) -> bool:
        versions.append(greeting["version"])
        return True

    serve(lambda engine: protocol.call(engine.home, "check", suits=suits))
    assert versions == [__version__]


def test_runs_of_an_earlier_controller_go_on(
    serve: Serve, home: ControlledHome
) -> None:
    home.start(grid({"lr": "1"}, {"lr": "2"}))
    home.running()["1.train"].end(0)
    for run in home.active.values():
        run.pods.abandon()
    home.active.clear()

    def command(engine: LocalEngine) -> Any:
        protocol.call(engine.home, "check")
        return engine.read(Id(number=1))

    assert states(serve(command)) == ["FINISHED", "RUNNING"]
