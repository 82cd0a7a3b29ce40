"""Commands in pods, with a WebSocket that is a list of messages."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import websocket

from riseml.cluster import pod_exec
from riseml.cluster.api import Api
from riseml.cluster.command_error import CommandError
from riseml.cluster.connection import Connection
from riseml.errors import UnreachableError

SUCCESS = b"\x03" + json.dumps({"status": "Success"}).encode()
EXIT_7 = {"causes": [{"reason": "ExitCode", "message": "7"}]}
FAILURE = b"\x03" + json.dumps({"status": "Failure", "details": EXIT_7}).encode()


class Socket:
    """WebSocket that receives given messages, and then is closed."""

    subprotocol = "v5.channel.k8s.io"

    def __init__(self, messages: Sequence[bytes], delay: float = 0.0) -> None:
        self.messages, self.delay = list(messages), delay
        self.sent: list[bytes] = []

    def recv_data(self) -> tuple[int, bytes]:
        time.sleep(self.delay)
        if not self.messages:
            raise websocket.WebSocketConnectionClosedException("closed")
        return websocket.ABNF.OPCODE_BINARY, self.messages.pop(0)

    def send_binary(self, message: bytes) -> None:
        self.sent.append(message)

    def shutdown(self) -> None:
        pass


def run(monkeypatch: pytest.MonkeyPatch, socket: Socket, **options: Any) -> bytes:
    monkeypatch.setattr(pod_exec, "connect", lambda *arguments: socket)
    api = Api(Connection("https://lab.example.com"))
    return pod_exec.run(api, "riseml-paul", "store", "store", ["cat"], **options)


def test_standard_output_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [b"", b"\x01ab", b"\x01", b"\x02a warning", b"\x01c", SUCCESS]
    assert run(monkeypatch, Socket(messages)) == b"abc"


def test_input_is_sent_in_pieces_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    socket = Socket([SUCCESS], delay=0.2)
    run(monkeypatch, socket, stdin=[b"x" * (1 << 18), b"yz"])
    assert socket.sent == [b"\x00" + b"x" * (1 << 18), b"\x00yz", b"\xff\x00"]


def test_a_failed_command_has_its_status_and_last_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(CommandError, match="no such file") as error:
        run(monkeypatch, Socket([b"\x02cat: x:\nno such file\n", FAILURE]))
    assert error.value.status == 7
    assert error.value.output == "cat: x:\nno such file\n"


def test_a_broken_connection_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreachableError, match="while a command was running"):
        run(monkeypatch, Socket([b"\x01a"]))


def test_the_failure_of_the_source_of_input_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def source() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("no more data")

    with pytest.raises(ValueError, match="no more data"):
        run(monkeypatch, Socket([], delay=0.2), stdin=source())
