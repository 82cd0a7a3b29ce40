"""Controller that is killed at a chosen step of its own work."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from riseml.engines.local import protocol

_PROGRAM = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from riseml.engines.local.controller import server

marker, module, owner, name = {words!r}
marker = Path(marker)
holder = import_module(module)
if owner:
    holder = getattr(holder, owner)
original = getattr(holder, name)

def step(*arguments, **options):
    try:
        left = int(marker.read_text())
    except (OSError, ValueError):
        return original(*arguments, **options)
    if left > 1:
        marker.write_text(str(left - 1))
        return original(*arguments, **options)
    marker.unlink()
    os.kill(os.getpid(), signal.SIGKILL)

setattr(holder, name, step)
sys.exit(server.main(Path(sys.argv[1])))
"""


@dataclass(frozen=True)
class Step:
    """A function of the controller: `module:name` or `module:Class.name`."""

    path: str

    def words(self) -> tuple[str, str, str]:
        module, _, qualified_name = self.path.partition(":")
        owner, _, name = qualified_name.rpartition(".")
        return module, owner, name


@dataclass(frozen=True)
class Trap:
    """Trap for the next controllers of a test; it snaps once, after `arm`."""

    marker: Path

    def arm(self, call: int = 1) -> None:
        """Kill the controller as it is about to make a call of the step, counted from 1."""
        self.marker.write_text(str(call))

    @property
    def has_snapped(self) -> bool:
        return not self.marker.exists()


def set_trap(monkeypatch: pytest.MonkeyPatch, folder: Path, step: Step) -> Trap:
    """Let the controllers that this test starts die at a step."""
    marker = folder / "trap"
    program = _PROGRAM.format(words=(str(marker), *step.words()))
    monkeypatch.setattr(protocol, "CONTROLLER", (sys.executable, "-c", program))
    return Trap(marker)
