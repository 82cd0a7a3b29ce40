"""Commands that find a controller of another version."""

import socket
import threading
from pathlib import Path

import pytest

from riseml import __version__
from riseml.engines.local import protocol
from riseml.errors import UnreachableError

PACKAGE = Path(protocol.__file__).parents[2]


def serve(home: Path, version: str) -> None:
    """Greet one command, as a controller of a version does that is asked to exit."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(home / "controller.sock"))
    listener.listen()

    def greet() -> None:
        channel, _ = listener.accept()
        listener.close()
        with channel:
            channel.sendall(protocol.encode({"version": version, "bounds": {}}))
            channel.recv(100)

    threading.Thread(target=greet, daemon=True).start()


@pytest.mark.parametrize("version", ["1.9", __version__])
def test_a_controller_of_another_version_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(protocol, "_CONNECT_PAUSES_SECONDS", (0.0,))
    serve(tmp_path, version)
    with (
        pytest.raises(UnreachableError) as caught,
        protocol.connection(tmp_path, lambda _: False),
    ):
        pass
    error = caught.value
    if version == __version__:
        assert str(error) == "the local controller exits as soon as it has started"
        assert error.advice == f"See {tmp_path / 'controller.log'}."
        return
    assert str(error) == (
        f"this command is RiseML {__version__}, but each local controller that starts is RiseML 1.9"
    )
    assert error.advice == (
        f"This command loads {PACKAGE}. Run it in another folder to use the installed version, or set"
        f" PYTHONPATH={PACKAGE.parent} to use this one. If two versions are in use at the same time, give one"
        f" another RISEML_HOME. See {tmp_path / 'controller.log'}."
    )
