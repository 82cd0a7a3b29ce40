"""Ports of running jobs of this machine, in networks of their own and in the machine's."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.client.port_forward import PortForward
from riseml.engines.local.jobs import network
from riseml.errors import NotFoundError, RiseMLError
from tests.local.conftest import PATIENCE, Lab

# It answers with everything that it has read in capitals, once the client has ended its
# output.
_SERVER = """
import os, socketserver, sys

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.read().upper())

class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    allow_reuse_address = daemon_threads = True

with Server(("127.0.0.1", int(os.environ.get("SERVER_PORT", "0"))), Handler) as server:
    with open(os.environ["PORT_FILE"], "w") as file:
        file.write(str(server.server_address[1]) + "\\n")
    server.serve_forever()
"""


class Served:
    """A job that serves at a port."""

    def __init__(self, lab: Lab, file: Path, more: str) -> None:
        lab.write({"server.py": _SERVER})
        self.lab = lab
        run = f"{sys.executable} server.py"
        self.number = lab.train(f"run: {run}\n{more}", PORT_FILE=str(file)).number
        lab.until(lambda: file.exists() and file.read_text().endswith("\n"))
        self.port = int(file.read_text())
        self.client = Client(engine=lab.engine)
        self.notes: list[str] = []

    @property
    def job(self) -> str:
        return f"{self.number}.train"

    def forward(self, *ports: str | int) -> PortForward:
        return self.client.port_forward(
            str(self.number), *ports, on_note=self.notes.append
        )


@pytest.fixture(params=["shared", "isolated"])
def served(lab: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> Served:
    more = ""
    if request.param == "isolated":
        if not network.supported():
            pytest.skip("this machine allows no networks of jobs")
        more = "isolate_network: true"
    return Served(lab, tmp_path / "port", more)


def ask(port: int, data: bytes, host: str = "127.0.0.1") -> bytes:
    """Return the answer to data after which the client sends nothing more."""
    with socket.create_connection((host, port), PATIENCE) as connection:
        sender = threading.Thread(target=_send, args=(connection, data))
        sender.start()
        answer = b""
        while block := connection.recv(1 << 16):
            answer += block
        sender.join()
    return answer


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def test_a_free_port_leads_to_that_of_the_job(served: Served) -> None:
    with served.forward(f":{served.port}") as forwarding:
        (port,) = forwarding.ports
        assert forwarding.job == served.job
        assert port.local not in (0, served.port)
        assert ask(port.local, b"text") == b"TEXT"
        if socket.has_ipv6 and _has_ipv6_loopback():
            assert ask(port.local, b"more", "::1") == b"MORE"
        large = os.urandom(1 << 20).hex().encode()
        assert ask(port.local, large) == large.upper()
    assert served.notes == []
    with pytest.raises(OSError, match="refused"):
        ask(port.local, b"text")


def test_many_connections_are_open_at_once(served: Served) -> None:
    with served.forward(f":{served.port}") as forwarding:
        (port,) = forwarding.ports
        address = ("127.0.0.1", port.local)
        opened = [socket.create_connection(address, PATIENCE) for _ in range(100)]
        for number, connection in enumerate(opened):
            _send(connection, b"connection %d" % number)
        for number, connection in enumerate(opened):
            assert connection.makefile("rb").read() == b"CONNECTION %d" % number
            connection.close()


def test_a_connection_that_breaks_does_not_affect_others(served: Served) -> None:
    with served.forward(f":{served.port}") as forwarding:
        (port,) = forwarding.ports
        for _ in range(20):
            broken = socket.create_connection(("127.0.0.1", port.local), PATIENCE)
            broken.sendall(b"text")
            # Its end is a reset.
            broken.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            broken.close()
        assert ask(port.local, b"text") == b"TEXT"


def test_it_says_that_nothing_listens(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    with served.forward(f":{number}") as forwarding:
        assert served.notes == [
            f"riseml: {served.job} does not listen on port {number} yet"
        ]
        for _ in range(2):
            address = ("127.0.0.1", forwarding.ports[0].local)
            # The reset may come before this process knows that it is connected.
            with (
                pytest.raises(ConnectionResetError),
                socket.create_connection(address, PATIENCE) as connection,
            ):
                connection.recv(1)
    served.lab.until(lambda: len(served.notes) > 1)
    assert served.notes[1:] == [
        f"riseml: {served.job}, port {number}: Connection refused"
    ]


def test_a_port_of_this_machine_that_is_in_use_is_refused(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(RiseMLError) as caught:
            served.forward(f"{number}:{served.port}")
    assert str(caught.value) == (
        f"port {number} of this machine cannot be used: Address already in use"
    )


@pytest.mark.parametrize("served", ["shared"], indirect=True)
def test_the_jobs_own_port_needs_no_forwarding(served: Served) -> None:
    with served.forward(served.port) as forwarding:
        (port,) = forwarding.ports
        assert (port.local, port.is_own) == (served.port, True)
        assert ask(port.local, b"text") == b"TEXT"
    assert served.notes == []


@pytest.mark.parametrize("served", ["shared"], indirect=True)
def test_it_names_the_program_that_has_the_port(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        served.forward(number).close()
    (note,) = served.notes
    assert note.startswith(f"riseml: port {number} of this machine belongs to `")
    assert note.endswith(f"`, not to {served.job}")


@pytest.fixture
def started(served: Served) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Function that starts `riseml port-forward` with a free port."""
    processes: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        words = ["port-forward", str(served.number), f":{served.port}"]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "riseml", *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_the_command_ends_with_the_job(
    served: Served, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started()
    assert process.stdout
    line = process.stdout.readline()
    local = int(line.removeprefix("127.0.0.1:").partition(" ")[0])
    assert line == f"127.0.0.1:{local} → {served.job}:{served.port}\n"
    assert ask(local, b"text") == b"TEXT"
    served.client.kill(str(served.number))
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert errors == f"Press Ctrl-C to stop it.\nriseml: {served.job} has ended\n"
    # The end of a process is seen before the controller has recorded it.
    served.lab.wait(served.number)
    with pytest.raises(NotFoundError, match="has ended: it is KILLED"):
        served.forward(served.port)


def test_ctrl_c_ends_the_command_alone(
    served: Served, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started()
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    # It may come before the line that mentions it is written.
    assert errors.replace("Press Ctrl-C to stop it.\n", "") == "\n"
    with served.forward(f":{served.port}") as forwarding:
        assert ask(forwarding.ports[0].local, b"text") == b"TEXT"


def _has_ipv6_loopback() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
