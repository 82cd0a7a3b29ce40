"""Commands that run during a storm, each in a process of its own that may be killed."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

_RISEML = (sys.executable, "-m", "riseml")
_UNUSUAL = frozenset({"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"})
_PATIENCE_SECONDS = 300.0
_KILLED = -9


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    words: tuple[str, ...]
    status: int
    output: str
    errors: str

    @property
    def was_killed(self) -> bool:
        """Whether the storm killed it."""
        return self.status == _KILLED

    @property
    def has_traceback(self) -> bool:
        """Whether it printed a traceback."""
        return "Traceback" in self.errors or "Traceback" in self.output

    def __str__(self) -> str:
        last = self.errors.strip().splitlines()[-2:]
        return (
            f"riseml {' '.join(self.words)}: status {self.status}, {' / '.join(last)}"
        )


class Clients:
    """Starts commands on one home, and knows those that are running."""

    def __init__(self, home: Path) -> None:
        usual = {name: os.environ[name] for name in os.environ if name not in _UNUSUAL}
        root = str(Path(__file__).parents[2])
        self._environment = {
            **usual,
            "RISEML_HOME": str(home),
            "RISEML_CPUS": "4",
            "NO_COLOR": "1",
            "PYTHONPATH": root,
        }
        self._running: set[int] = set()
        self._lock = Lock()

    @property
    def running(self) -> list[int]:
        """The pids of the commands that are running."""
        with self._lock:
            return sorted(self._running)

    def start(
        self, words: Sequence[str], folder: Path, *, vulnerable: bool = True
    ) -> "Running":
        """Start a command; the storm may kill it if it is vulnerable."""
        process = subprocess.Popen(
            [*_RISEML, *words],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if vulnerable:
            with self._lock:
                self._running.add(process.pid)
        return Running(self, tuple(words), process)

    def run(
        self, words: Sequence[str], folder: Path, *, vulnerable: bool = True
    ) -> Done:
        """Run a command to its end."""
        return self.start(words, folder, vulnerable=vulnerable).wait()

    def forget(self, pid: int) -> None:
        """Forget a command that has ended."""
        with self._lock:
            self._running.discard(pid)


@dataclass(frozen=True)
class Running:
    """A command that has not been waited for."""

    clients: Clients
    words: tuple[str, ...]
    process: "subprocess.Popen[str]"

    def wait(self) -> Done:
        """Wait for its end."""
        try:
            output, errors = self.process.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            output, errors = self.process.communicate()
            errors += f"\nit did not end within {_PATIENCE_SECONDS:.0f} s"
        finally:
            self.clients.forget(self.process.pid)
        return Done(self.words, self.process.returncode, output, errors)
