"""Ports of jobs in the Python API, with a job that answers within the test process."""

import socket
import time
from collections.abc import Callable

import pytest

from riseml.client.port_forward import ForwardedPort, PortForward, parse
from riseml.engines.access import Command, Outcome
from riseml.errors import InvalidInputError, UnreachableError


class Answering:
    """A job that answers each connection with its port, and ends after some waits."""

    def __init__(self, *, shares_network: bool = False, waits: int = 0) -> None:
        self.shares_network, self.waits = shares_network, waits
        self.is_closed = False

    def run(self, command: Command) -> Outcome:
        raise AssertionError(command)

    def remark(self, port: int) -> str:
        return f"remark {port}"

    def pass_on(self, client: socket.socket, port: int) -> None:
        with client:
            if port == 1:
                raise ConnectionRefusedError(111, "Connection refused")
            if port == 2:
                raise UnreachableError("the cluster does not answer")
            client.sendall(b"%d" % port)

    def wait(self, seconds: float) -> bool:
        assert seconds > 0
        self.waits -= 1
        return self.waits < 0

    def close(self) -> None:
        self.is_closed = True


def read(port: int, host: str = "127.0.0.1") -> bytes:
    with socket.create_connection((host, port), 30) as connection:
        return connection.recv(100)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("8888", ForwardedPort(8888, 8888)),
        (8888, ForwardedPort(8888, 8888)),
        ("8080:8888", ForwardedPort(8080, 8888)),
        (":8888", ForwardedPort(0, 8888)),
        ("0:65535", ForwardedPort(0, 65535)),
    ],
)
def test_a_port_is_written_with_or_without_that_of_this_machine(
    text: str | int, port: ForwardedPort
) -> None:
    assert parse(text) == port


@pytest.mark.parametrize(
    "text", ["", "http", "8888:", "0", ":0", "65536", "65536:1", "-1", "1:2:3", "8 8"]
)
def test_what_is_not_a_port_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(text)
    assert str(caught.value) == f"'{text}' is not a port"
    assert caught.value.advice.startswith("Write 8888, 8080:8888")


def test_each_port_has_a_listener_of_its_own() -> None:
    job, notes = Answering(waits=2), list[str]()
    requested = [parse(":7"), parse(":9")]
    with PortForward("14.train", job, requested, notes.append) as forwarding:
        assert [port.remote for port in forwarding.ports] == [7, 9]
        assert [read(port.local) for port in forwarding.ports] == [b"7", b"9"]
        assert not any(port.is_own for port in forwarding.ports)
        forwarding.wait()
    assert job.waits == -1
    assert job.is_closed
    assert notes == []
    for port in forwarding.ports:
        with pytest.raises(ConnectionRefusedError):
            read(port.local)


def until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.005)


def test_a_failure_is_noted_once() -> None:
    notes: list[str] = []
    with PortForward("14.train", Answering(), [parse(":1")], notes.append) as forward:
        for _ in range(3):
            assert read(forward.ports[0].local) == b""
        until(lambda: len(notes) == 1)
    with PortForward("14.train", Answering(), [parse(":2")], notes.append) as forward:
        assert read(forward.ports[0].local) == b""
        # Another thread notes the failure, after the connection has ended.
        until(lambda: len(notes) == 2)
    assert notes == [
        "riseml: 14.train, port 1: Connection refused",
        "riseml: 14.train, port 2: the cluster does not answer",
    ]


def test_a_port_that_the_job_itself_opens_has_no_listener() -> None:
    job = Answering(shares_network=True)
    with PortForward("14.train", job, [parse(7777), parse(":7777")], print) as forward:
        same, other = forward.ports
        assert same == ForwardedPort(7777, 7777, is_own=True)
        assert not other.is_own
        assert read(other.local) == b"7777"


def test_a_port_in_use_closes_those_before_it() -> None:
    job = Answering()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(Exception, match=f"port {number} of this machine") as caught:
            PortForward("14.train", job, [parse(":7"), parse(f"{number}:7")], print)
    assert job.is_closed
    assert "Address already in use" in str(caught.value)
