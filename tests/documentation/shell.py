"""Shell in which the commands of a page run one after the other, as a reader would type them.

The reader has an empty home, /home/ada in what they see, with nothing but Python and RiseML. A page
begins in an empty folder with its name. Its processes have ended when the shell is closed.
"""

import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from riseml.engines.local import protocol
from riseml.engines.local.jobs import tree
from tests.documentation.pages import ROOT

TIMEOUT_SECONDS = 180
USER = "ada"
HOST = "laptop"
_END = "\x01end of a command\x01"
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Provision:
    """What a page finds on the machine beyond a usual Python and RiseML.

    `files` are written to its home. Where a page shows a key of `images`, the value is used; so
    with the words of `names`. `people` has further variables of those whom prompts name.
    """

    python: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Shell:
    """A bash, with a home of its own, that keeps directory and variables from command to command."""

    def __init__(
        self,
        page: str,
        provision: Provision | None = None,
        person: str = USER,
        reader: "Shell | None" = None,
    ) -> None:
        provision = provision or Provision()
        self._page, self._provision = page, provision
        self._people: dict[str, Shell] = {}
        self._is_reader = reader is None
        # The path of a socket below it must be short.
        self.root: Path = reader.root if reader else _folder()
        self.home = self.root / "home" / person
        self.folder: Path = reader.folder if reader else self.home / page
        self.folder.mkdir(parents=True, exist_ok=True)
        programs = self.home / ".local" / "bin"
        programs.mkdir(parents=True)
        _write_script(
            programs / "riseml", f'exec {shlex.quote(sys.executable)} -m riseml "$@"'
        )
        system = self.root / "usr" / "bin"
        if reader is None:
            _install_python(system, provision.python)
        self.environment = {
            "PATH": f"{programs}:{system}:{_SYSTEM_PATH}",
            "HOME": str(self.home),
            "USER": person,
            "LOGNAME": person,
            "LANG": "C.UTF-8",
            "SHELL": "/bin/bash",
            # Pages copy projects from here in commands that readers do not see.
            "EXAMPLES": str(ROOT / "examples"),
            "COLUMNS": "110",
            "RISEML_CPUS": "4",
            "RISEML_RUNNER": "process",
            **_checkout(),
            **provision.variables,
            **provision.people.get(person, {}),
        }
        for name, text in provision.files.items():
            (self.home / name).write_text(text, "utf-8")
        self._status = 0
        self._reading, writing = os.pipe()
        self._process = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=writing,
            stderr=subprocess.STDOUT,
            env=self.environment,
            cwd=self.folder,
            start_new_session=True,
        )
        os.close(writing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def of(self, person: str) -> "Shell":
        """Return the shell of a person; the reader has none of the names."""
        if not person:
            return self
        if person not in self._people:
            self._people[person] = Shell(self._page, self._provision, person, self)
        return self._people[person]

    def write(self, name: str, text: str) -> None:
        """Write a file of the page, relative to the current directory of the shell."""
        directory, _ = self.run("pwd")
        path = Path(self._real(directory.strip()), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._typed(text), "utf-8")

    def run(self, command: str) -> tuple[str, int]:
        """Run a command and return what it printed, as the reader sees it, and its exit status.

        Raises:
            TimeoutError: it has not ended in time; the text says which one.
        """
        file = self.home / ".command"
        file.write_text(self._typed(command) + "\n", "utf-8")
        lines = (
            f"(exit {self._status}); . {file} < /dev/null; printf '\\n{_END}%s\\n' $?\n"
        )
        assert self._process.stdin
        self._process.stdin.write(lines.encode())
        self._process.stdin.flush()
        printed = self._read(command)
        output, _, status = printed.rpartition(f"\n{_END}")
        self._status = int(status)
        return self._shown(output), self._status

    def _read(self, command: str) -> str:
        data = b""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        end = _END.encode()
        while end not in data or not data.endswith(b"\n"):
            remaining = deadline - time.monotonic()
            readable, _, _ = select.select([self._reading], [], [], max(0, remaining))
            piece = os.read(self._reading, 65536) if readable else b""
            if not piece:
                raise TimeoutError(
                    f"$ {command}\nhas not ended; it has printed:\n"
                    + data.decode("utf-8", "replace")
                )
            data += piece
        return data.decode("utf-8", "replace")

    def _shown(self, text: str) -> str:
        text = text.replace(str(self.root), "")
        for shown, used in self._provision.images.items():
            text = text.replace(used, shown)
        for shown, used in self._provision.names.items():
            text = text.replace(used, shown)
        return text.replace(socket.gethostname(), HOST)

    def _typed(self, text: str) -> str:
        for shown, used in self._provision.images.items():
            text = text.replace(shown, used)
        for shown, used in self._provision.names.items():
            text = re.sub(rf"\b{shown}\b", used, text)
        return text

    def _real(self, shown: str) -> Path:
        """Return the path of a directory that the reader sees as `shown`."""
        if shown.startswith("/home/"):
            return self.root / shown[1:]
        return Path(shown)

    def close(self) -> None:
        """End everything that the page has started, and remove its home."""
        assert self._process.stdin
        for shell in self._people.values():
            shell.close()
        for home in (self.home / ".riseml", *self.home.glob("*/.riseml")):
            if home.exists():
                protocol.stop_controller(home)
        # Bash is the only process that still runs what the page has started; jobs are found by their home.
        self._process.stdin.close()
        _kill_group(self._process)
        for process in self.processes():
            # It may end by itself at this moment.
            with suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(10)
        os.close(self._reading)
        if self._is_reader:
            # The engine and jobs close folders.
            tree.remove(os.fsencode(self.root))

    def processes(self) -> list[psutil.Process]:
        """Return the processes whose home is that of the page, other than the shells."""
        found = []
        for shell in self._people.values():
            found += shell.processes()
        for process in psutil.process_iter():
            try:
                home = process.environ().get("HOME")
            except psutil.Error:
                continue
            if home == str(self.home) and process.pid != self._process.pid:
                found.append(process)
        return found


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="doc-", dir="/tmp")).resolve()


def _install_python(folder: Path, python: str) -> None:
    """Put a Python into a folder, empty for the usual one."""
    folder.mkdir(parents=True)
    for program in ("python", "python3"):
        if python:
            # A link to the Python of a virtual environment would not find its packages.
            _write_script(folder / program, f'exec {shlex.quote(python)} "$@"')
        else:
            (folder / program).symlink_to(os.path.realpath(sys.executable))


def _write_script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", "utf-8")
    path.chmod(0o755)


def _checkout() -> dict[str, str]:
    """Return the variable by which another checkout than the installed one is tested."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {"PYTHONPATH": str(ROOT)} if str(ROOT) in paths else {}


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
