"""Commands in pods, with a WebSocket that is a list of messages, and access to their jobs."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from riseml.cluster import pod_exec
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.engines.access import Command, Outcome, Streams
from riseml.engines.argo import access
from riseml.engines.argo.access import PodAccess, open_access
from riseml.engines.argo.pod_command import JobPod
from riseml.errors import NotFoundError, UnreachableError
from tests.cli.fake_engine import single
from tests.unit.cluster.test_pod_exec import SUCCESS, Socket


def ended(status: int) -> bytes:
    cause = {"causes": [{"reason": "ExitCode", "message": str(status)}]}
    return b"\x03" + json.dumps({"status": "Failure", "details": cause}).encode()


def pod(state: str, node: str = "node-1") -> dict[str, Any]:
    return {
        "metadata": {
            "name": "pod-1",
            "annotations": {"workflows.argoproj.io/node-id": node},
        },
        "status": {
            "containerStatuses": [
                {"name": "wait", "state": {"running": {}}},
                {"name": "main", "state": {state: {}}},
            ]
        },
    }


class Pods:
    """API server with one pod."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)

    def find(self, _path: str) -> dict[str, Any] | None:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return pod(state) if state else None

    def items(self, at: str, labelSelector: str) -> list[dict[str, Any]]:  # noqa: N803
        assert at == "/api/v1/namespaces/riseml-paul/pods"
        assert labelSelector == "workflows.argoproj.io/workflow in (toaster-net-14)"
        return [pod("running", "node-0"), pod(self.states[0])]


class Files:
    """Streams of a command that are files."""

    def __init__(self, folder: Path, stdin: bytes = b"") -> None:
        self._files = [folder / name for name in ("in", "out", "err")]
        self._files[0].write_bytes(stdin)
        flags = os.O_RDWR | os.O_CREAT
        self.streams = Streams(*(os.open(file, flags) for file in self._files))

    def read(self) -> tuple[bytes, bytes]:
        for descriptor in self.streams.all:
            os.close(descriptor)
        return self._files[1].read_bytes(), self._files[2].read_bytes()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, b"input")


def reach(
    monkeypatch: pytest.MonkeyPatch, socket: Socket, api: Any = None
) -> tuple[PodAccess, list[str]]:
    """Return access to a job whose pod answers by a socket, and the URLs of its commands."""
    urls: list[str] = []

    def connect(_api: Api, url: str, _pod: str, _protocols: Sequence[str]) -> Socket:
        urls.append(url)
        return socket

    monkeypatch.setattr(pod_exec, "connect", connect)
    real = Api(Connection("https://lab.example.com"))
    if api is not None:
        monkeypatch.setattr(real, "find", api.find)
    job = single(14).experiments[0].jobs[0]
    return PodAccess(job, JobPod(real, "riseml-paul", "pod-1")), urls


def test_a_command_has_the_streams_of_its_caller(
    monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    socket = Socket([b"\x01out", b"\x02err", b"\x01put\xff", ended(3)], delay=0.1)
    job, urls = reach(monkeypatch, socket)
    outcome = job.run(Command(("ls", "-l"), None, files.streams))
    assert outcome == Outcome(3)
    assert files.read() == (b"output\xff", b"err")
    assert socket.sent == [b"\x00input", b"\xff\x00"]
    (url,) = urls
    assert "/namespaces/riseml-paul/pods/pod-1/exec?container=main" in url
    assert url.endswith("command=ls&command=-l&stdin=true&stderr=true")


def test_a_forced_terminal_has_a_size_and_an_end_of_input(
    monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    socket = Socket([b"\x01screen", SUCCESS], delay=0.1)
    job, urls = reach(monkeypatch, socket)
    assert job.run(Command((), True, files.streams, "in {directory}")) == Outcome(0)
    assert files.read() == (b"screen", b"")
    size = b'\x04{"Width": 80, "Height": 24}'
    assert socket.sent == [size, b"\x00input", b"\x00\x04"]
    assert urls[0].endswith("&stdin=true&tty=true")
    assert "command=in+%7Bdirectory%7D" in urls[0]


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        (("running", "terminated"), Outcome(137, job_ended=True)),
        (("",), Outcome(137, job_ended=True)),
        (("running",), Outcome(137)),
    ],
)
def test_a_killed_command_may_have_ended_with_its_job(
    monkeypatch: pytest.MonkeyPatch,
    files: Files,
    states: tuple[str, ...],
    outcome: Outcome,
) -> None:
    monkeypatch.setattr(access, "_REPORT_SECONDS", 0.5)
    monkeypatch.setattr(access, "_PAUSE_SECONDS", 0.01)
    job, _ = reach(monkeypatch, Socket([ended(137)]), Pods(*states))
    assert job.run(Command(("ls",), None, files.streams)) == outcome
    files.read()


def test_a_connection_that_breaks_with_the_job_is_its_end(
    monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    monkeypatch.setattr(access, "_REPORT_SECONDS", 0.1)
    job, _ = reach(monkeypatch, Socket([]), Pods("terminated"))
    command = Command(("ls",), None, files.streams)
    assert job.run(command) == Outcome(137, job_ended=True)
    job, _ = reach(monkeypatch, Socket([]), Pods("running"))
    with pytest.raises(UnreachableError, match="broke while a command was running"):
        job.run(command)
    files.read()


def test_a_job_that_does_not_listen_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"\x01   0: 0100007F:1F90 00000000:0000 0A 0 0\n"
    job, _ = reach(monkeypatch, Socket([line, SUCCESS]))
    assert job.remark(8080) == ""
    job, _ = reach(monkeypatch, Socket([line, SUCCESS]))
    assert job.remark(8081) == "14.train does not listen on port 8081 yet"


def test_the_end_of_a_job_is_looked_for_from_time_to_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, _ = reach(monkeypatch, Socket([]), Pods("running", "terminated"))
    assert not job.wait(0)
    monkeypatch.setattr(access, "_CHECK_SECONDS", 0)
    assert [job.wait(0), job.wait(0)] == [False, True]
    job.close()


def test_the_pod_of_a_job_is_that_of_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_REPORT_SECONDS", 0.05)
    monkeypatch.setattr(access, "_PAUSE_SECONDS", 0.01)
    run = single(14)
    job = run.experiments[0].jobs[0]
    api: Any = Pods("running")
    with pytest.raises(NotFoundError, match=r"14\.train has no running pod"):
        open_access(api, "riseml-paul", run, job)

    job = replace(job, node_id="node-1")
    assert not open_access(api, "riseml-paul", run, job).shares_network
    with pytest.raises(NotFoundError, match="has no running pod"):
        open_access(Pods("terminated"), "riseml-paul", run, job)  # type: ignore[arg-type]
