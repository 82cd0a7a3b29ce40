"""Connections that pass through this process: listeners at its loopback addresses, and copies.

client ──▶ PortListener ──serve──▶ exchange ──▶ a port of a job
"""

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from riseml.errors import RiseMLError

_CHUNK_BYTES = 1 << 16
# Such a machine has no IPv6, or not this port of it.
_OPTIONAL = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EADDRINUSE)
# Of /proc/net/tcp: the local address, and the state of a socket that listens.
_ADDRESS, _STATE = 1, 3
_LISTENING = "0A"
_PAUSE_SECONDS = 0.05
_RESET = struct.pack("ii", 1, 0)

Serve = Callable[[socket.socket], object]


class PortListener:
    """Listener at a port of 127.0.0.1, and of ::1 where it is free, for one thread each.

    `port` 0 picks a free one. `serve` gets each connection in a thread of its own, and
    closes it.

    Raises:
        RiseMLError: the port cannot be used.
    """

    def __init__(self, port: int, serve: Serve) -> None:
        self._serve = serve
        try:
            self._sockets = [socket.create_server(("127.0.0.1", port))]
        except OSError as error:
            raise RiseMLError(
                f"port {port} of this machine cannot be used: {_reason(error)}",
                "With `:` before the port of the job, a free one is picked.",
            ) from None
        self.port: int = self._sockets[0].getsockname()[1]
        try:
            address = ("::1", self.port)
            self._sockets.append(socket.create_server(address, family=socket.AF_INET6))
        except OSError as error:
            if error.errno not in _OPTIONAL:
                self.close()
                raise
        for listening in self._sockets:
            threading.Thread(
                target=self._accept, args=(listening,), daemon=True
            ).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Accept no more connections; open ones last as long as this process."""
        for listening in self._sockets:
            with suppress(OSError):
                # Closing alone does not wake a thread that is blocked in `accept`.
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _accept(self, listening: socket.socket) -> None:
        while listening.fileno() >= 0:
            try:
                client, _ = listening.accept()
            except OSError as error:
                # A client may have left again, or there are too many files.
                if error.errno in (errno.EBADF, errno.EINVAL):
                    return
                time.sleep(_PAUSE_SECONDS)
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()


def _reason(error: OSError) -> str:
    """Return why it failed; Python adds the address to the text of the system."""
    return os.strerror(error.errno) if error.errno else str(error)


def exchange(client: socket.socket, server: socket.socket) -> None:
    """Copy bytes in both directions until both sides have ended; close both.

    A side that has ended its output may still read. If one connection breaks, the other
    one breaks as well.
    """
    with client, server:
        answers = threading.Thread(target=_copy, args=(server, client), daemon=True)
        answers.start()
        _copy(client, server)
        answers.join()


def listening_ports(table: str) -> set[int]:
    """Return the ports at which processes listen, given the text of /proc/net/tcp."""
    ports = set()
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > _STATE and fields[_STATE] == _LISTENING:
            ports.add(int(fields[_ADDRESS].rpartition(":")[2], 16))
    return ports


def reset(connection: socket.socket) -> None:
    """Let a connection break for its other side once it is closed."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # A thread that is reading from it continues.
        connection.shutdown(socket.SHUT_RD)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK_BYTES):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        reset(source)
        reset(target)
