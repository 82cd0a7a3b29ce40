"""The protocol between commands and the controller."""

import socket
from pathlib import Path

import pytest

from riseml.engines.local import protocol


def test_a_controller_may_exit_while_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_end, controller_end = socket.socketpair()
    controller_end.close()
    monkeypatch.setattr(protocol, "_connect", lambda home: command_end)
    protocol.stop_controller(tmp_path)
    assert command_end.fileno() == -1
