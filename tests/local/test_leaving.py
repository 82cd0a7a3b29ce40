"""Asking a controller to go."""

import socket
from pathlib import Path

import pytest

from riseml.engines.local import wire


def test_one_that_goes_by_itself_at_that_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = socket.socketpair()
    there.close()
    monkeypatch.setattr(wire, "_connected", lambda home: here)
    wire.leave(tmp_path)
    assert here.fileno() == -1
