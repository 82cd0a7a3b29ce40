"""Process in the network of a job that opens connections there for another process.

It reads ports, two bytes each, from a Unix socket, and answers each with a byte, the
number of an error. With 0 it sends a connected socket.
"""

import errno
import os
import socket
import sys

from riseml.engines.local.jobs import job_entry

_CONNECT_SECONDS = 5.0
_PORT_BYTES = 2
_NETWORK = ("user", "net")


def main() -> None:
    """Serve until the other side closes; the arguments are the socket and a pid of the job."""
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        try:
            job_entry.enter(int(sys.argv[2]), _NETWORK)
        except OSError as error:
            requests.sendall(_number(error))
            return
        requests.sendall(_number(None))
        while port := requests.recv(_PORT_BYTES):
            _serve(requests, int.from_bytes(port, "big"))


def _serve(requests: socket.socket, port: int) -> None:
    try:
        connection = connect(port)
    except OSError as error:
        requests.sendall(_number(error))
        return
    with connection:
        socket.send_fds(requests, [_number(None)], [connection.fileno()])


def request(port: int) -> bytes:
    """Return the request for a connection to a port."""
    return port.to_bytes(_PORT_BYTES, "big")


def check(answer: bytes) -> None:
    """Raise the error in an answer.

    Raises:
        OSError: the answer says so, or is empty, since the process has ended.
    """
    number = answer[0] if answer else errno.EPIPE
    if number:
        raise OSError(number, os.strerror(number))


def connect(port: int) -> socket.socket:
    """Return a connection to a port of this network's own addresses.

    Raises:
        OSError: nothing accepts it.
    """
    try:
        return _connect("127.0.0.1", port)
    except ConnectionRefusedError as refusal:
        # A server may listen at its IPv6 address only.
        try:
            return _connect("::1", port)
        except OSError:
            raise refusal from None


def _connect(host: str, port: int) -> socket.socket:
    connection = socket.create_connection((host, port), _CONNECT_SECONDS)
    connection.settimeout(None)
    return connection


def _number(error: OSError | None) -> bytes:
    if error is None:
        return b"\0"
    # Timeouts of Python have no number.
    return bytes([error.errno or errno.ETIMEDOUT])
