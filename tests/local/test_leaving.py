"""Asking a controller to go."""

import socket
from pathlib import Path

import pytest

from riseml.engines.local import protocol


def test_one_that_goes_by_itself_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = socket.socketpair()
    there.close()
    monkeypatch.setattr(protocol, "_connected", lambda home: here)
    protocol.leave(tmp_path)
    assert here.fileno() == -1
