"""Connections that pass through this process, between sockets of the same process."""

import errno
import socket
import threading
import time
from collections.abc import Callable

import pytest

from riseml.connections import PortListener, exchange, listening_ports, reset
from riseml.errors import RiseMLError

# Ports 8080 and 443 listen, and 22 has a connection.
_TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000
   1: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 0
   2: 0100007F:0016 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000
"""


def test_listening_ports_come_from_the_table_of_the_kernel() -> None:
    assert listening_ports(_TABLE) == {8080, 443}
    assert listening_ports("") == set()


def test_a_side_that_has_ended_its_output_may_still_read() -> None:
    client, near = socket.socketpair()
    far, server = socket.socketpair()
    passing = threading.Thread(target=exchange, args=(near, far))
    passing.start()
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert _read_all(server) == b"question"
    server.sendall(b"answer")
    server.close()
    assert _read_all(client) == b"answer"
    client.close()
    passing.join(30)
    assert not passing.is_alive()
    assert (near.fileno(), far.fileno()) == (-1, -1)


def test_a_connection_that_breaks_breaks_the_other_one() -> None:
    accepted: list[socket.socket] = []
    with PortListener(0, accepted.append) as listener:
        client = socket.create_connection(("127.0.0.1", listener.port))
        other = socket.create_connection(("127.0.0.1", listener.port))
        _until(lambda: len(accepted) == 2)
        by_peer = {item.getpeername(): item for item in accepted}
        near, far = (by_peer[item.getsockname()] for item in (client, other))
        passing = threading.Thread(target=exchange, args=(near, far))
        passing.start()
        client.sendall(b"text")
        assert other.recv(10) == b"text"
        reset(client)
        client.close()
        with pytest.raises(ConnectionResetError):
            other.recv(10)
        passing.join(30)
        other.close()


def test_a_port_can_be_chosen_and_is_free_again_after_close() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RiseMLError) as caught:
            PortListener(port, print)
    assert str(caught.value) == (
        f"port {port} of this machine cannot be used: Address already in use"
    )
    for _ in range(2):
        listener = PortListener(port, _greet)
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert client.recv(10) == b"hello"
        listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_machine_without_ipv6_has_one_listener(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = socket.create_server

    def refuse(address: tuple[str, int], **options: object) -> socket.socket:
        if options:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return create(address)

    monkeypatch.setattr(socket, "create_server", refuse)
    with (
        PortListener(0, _greet) as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as client,
    ):
        assert client.recv(10) == b"hello"


def _read_all(connection: socket.socket) -> bytes:
    data = b""
    while block := connection.recv(100):
        data += block
    return data


def _greet(client: socket.socket) -> None:
    with client:
        client.sendall(b"hello")


def _until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not happened() and time.monotonic() < limit:
        time.sleep(0.01)
