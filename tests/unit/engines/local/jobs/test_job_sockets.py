"""Process that opens connections in the network of a job, run within the test process."""

import errno
import os
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from riseml.engines.local.jobs import job_entry, job_sockets


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The caller's side of the process, which is in the network of this process."""
    ours, theirs = socket.socketpair()
    words = ["job_sockets", str(theirs.detach()), str(os.getpid())]
    monkeypatch.setattr(sys, "argv", words)
    serving = threading.Thread(target=job_sockets.main)
    serving.start()
    assert ours.recv(1) == b"\0"
    yield ours
    ours.close()
    serving.join(30)
    assert not serving.is_alive()


def ask(requests: socket.socket, port: int) -> socket.socket:
    requests.sendall(job_sockets.request(port))
    answer, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
    job_sockets.check(answer)
    return socket.socket(fileno=descriptors[0])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_is_handed_over(requests: socket.socket, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        for number in range(3):
            with ask(requests, server.getsockname()[1]) as client:
                near, _ = server.accept()
                with near:
                    near.sendall(b"%d" % number)
                    assert client.recv(10) == b"%d" % number


def test_a_refused_connection_is_an_error(requests: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            ask(requests, port)


def test_a_job_that_has_ended_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()

    def fail(_pid: int, _namespaces: tuple[str, ...]) -> None:
        raise FileNotFoundError(errno.ENOENT, "no such process")

    monkeypatch.setattr(job_entry, "enter", fail)
    words = ["job_sockets", str(theirs.detach()), "1"]
    monkeypatch.setattr(sys, "argv", words)
    job_sockets.main()
    with ours, pytest.raises(FileNotFoundError):
        job_sockets.check(ours.recv(1))


def test_the_end_of_the_process_is_an_error() -> None:
    with pytest.raises(BrokenPipeError):
        job_sockets.check(b"")
