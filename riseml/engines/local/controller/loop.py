"""The controller of a home: one process, detached from every terminal, that runs what was submitted.

    command ── request ──▶ ┌────────────┐ ── launches ──▶ launcher ──▶ jobs
    pidfd of a job ends ─▶ │ Controller │ ── commits ───▶ store
    timer ───────────────▶ └────────────┘

It waits for one of the three, tells the interpreter of the run concerned, does what that asks for, commits, and only
then answers. It may be killed at any moment: jobs go on, and the next controller finds their exit statuses.
"""

import contextlib
import fcntl
import hashlib
import heapq
import itertools
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from riseml import __version__
from riseml.engines.local import protocol
from riseml.engines.local.controller.active_run import ActiveRun
from riseml.engines.local.controller.machine import Admission, machine
from riseml.engines.local.controller.mutexes import Locks
from riseml.engines.local.controller.ports import Ports
from riseml.engines.local.controller.submit import Submitter
from riseml.engines.local.home import HomeLayout, data_folder
from riseml.engines.local.jobs import processes
from riseml.engines.local.jobs.launcher import Launcher
from riseml.engines.local.jobs.mounts import supported
from riseml.engines.local.jobs.pod_to_process import MOUNTED
from riseml.engines.local.store import Store
from riseml.errors import (
    DamagedError,
    HomeError,
    InvalidInputError,
    NotFoundError,
    RiseMLError,
)

# Seconds without work or questions after which a controller leaves
IDLE = 600.0
_POLL = (
    # Seconds between looks at a process where the system cannot tell of its end
    0.1
)
# Seconds until a run that could not be taken up is tried again
_AGAIN = 30.0
# Seconds between looks at progress files and logs of running jobs
_PULSE = 1.0


class Controller:
    """Everything of one home while its controller lives."""

    def __init__(self, home: Path, lock: int) -> None:
        self.home = home
        with contextlib.suppress(
            OSError
        ):  # somebody else's home: the database says what is wrong
            home.chmod(0o700)
        self.store = Store(home, create=True)
        self.place = HomeLayout(home, data_folder(home), mounts=_mounts(home))
        for folder in (self.place.data, home / "store", home / "output"):
            folder.mkdir(parents=True, exist_ok=True)
        self.admission = Admission(machine(os.environ))
        self.launcher = Launcher(home, lock, [*protocol.CONTROLLER, str(home)])
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (most, most)
        )  # after the launcher: jobs keep the usual limit
        self.selector = selectors.DefaultSelector()
        self._identity = _identity(home)
        self.locks = Locks()
        self.ports = Ports()
        self.runs: dict[int, ActiveRun] = {}
        self.submitter = Submitter(self)
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._replies: list[tuple[socket.socket, dict[str, Any]]] = []
        self._busy_until = (
            time.monotonic()
        )  # where nobody waits for it and nothing is unfinished, it may go again
        if protocol.awaited():
            self._stay()
        self._leaving = False
        self._discarded: list[str] = []
        self._remover: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        """Run until there has been nothing to do for a while."""
        self._listen()
        self._hear_signals()
        for number in self.store.unfinished():
            self._restore(number)
        self.settle()
        self.after(_PULSE, self._pulse)
        # Its log
        print(f"controller {os.getpid()} serves {self.home}", flush=True)  # noqa: T201
        protocol.ready({})
        while not self._idle():
            for key, _ in self.selector.select(self._patience()):
                self._safely(key.data)
            self._due()
            self._safely(self.settle)
        # Before the sockets are: who waits for the end finds the database complete
        self.store.close()

        self.launcher.close()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(
            self._timers, (time.monotonic() + seconds, next(self._order), act)
        )

    def settle(self) -> None:
        """Start what may start, commit what changed, then answer."""
        for run in list(self.runs.values()):
            run.work()
        self._admit()
        try:
            self._commit()
        except (
            HomeError
        ) as error:  # a full disk: nothing is announced until it can be kept
            # Its log
            print(error, flush=True)  # noqa: T201
            self.after(_PULSE, lambda: None)
            return
        for channel, reply in self._replies:
            _send(channel, reply)
        self._replies.clear()
        for run in [run for run in self.runs.values() if run.ended]:
            del self.runs[run.number]

    def poll(self, alive: Callable[[], bool], gone: Callable[[], None]) -> None:
        """Hear of the end of a process where the system has no pidfd."""
        self.after(_POLL, lambda: self.poll(alive, gone) if alive() else gone())

    def discard(self, folders: Iterable[Path]) -> None:
        """Remove folders that nobody needs any more, many at a time and beside the work."""
        self._discarded += map(str, folders)
        if self._remover is None or self._remover.poll() is not None:
            waiting, self._discarded = self._discarded, []
            if waiting:
                self._remover = subprocess.Popen(
                    ["rm", "-rf", "--", *waiting], stdin=subprocess.DEVNULL
                )

    def key(self, number: int, node: str) -> str:
        """Return what every process of a pod carries in its environment."""
        return f"{self._identity}:{number}:{node}"

    def owner(self, key: str) -> ActiveRun:
        """Return the run that a pod belongs to."""
        return self.runs[int(key.split(":", 2)[1])]

    def _admit(self) -> None:
        """Launch waiting pods while there is room; a launch that fails at once makes room again."""
        while admitted := list(self.admission.admit()):
            for key, gpus in admitted:
                self.owner(key).launch(key, gpus)
        for key in self.admission.waiting:
            self.owner(key).waits(key, self.admission.reason(key))
        for run in list(self.runs.values()):
            run.work()

    def _commit(self) -> None:
        changed = [run for run in self.runs.values() if run.dirty]
        if not changed:
            return
        with self.store.transaction():
            for run in changed:
                run.write(self.store)
        for run in changed:
            run.committed()

    def _restore(self, number: int) -> None:
        """Take up a run; a damaged one is given up, and where anything else hinders, it is tried again later."""
        try:
            self.runs[number] = ActiveRun.restore(self, number)
        except DamagedError:
            traceback.print_exc()
            for folder in self.place.run(number).glob("*"):
                processes.sweep(self.key(number, folder.name))
            self.discard([self.place.run(number)])
            with self.store.transaction():
                self.store.update_run(
                    number, ended=1, state="FAILED", finished=time.time()
                )
        except Exception:  # noqa: BLE001
            # The other runs go on
            traceback.print_exc()
            self.after(_AGAIN, lambda: self._restore(number))

    def _safely(self, act: Callable[[], None]) -> None:
        """Do something whose failure must not take the other runs with it."""
        try:
            act()
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            time.sleep(
                _POLL
            )  # what goes wrong again at once shall not keep the machine busy

    # Time

    def _patience(self) -> float:
        times = [self._timers[0][0]] if self._timers else []
        return (
            max(0.0, min([*times, self._busy_until]) - time.monotonic())
            if times
            else 1.0
        )

    def _due(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            self._safely(heapq.heappop(self._timers)[2])

    def _pulse(self) -> None:
        for run in self.runs.values():
            run.pulse()
        self.discard(())
        self.after(_PULSE if self.runs else 60.0, self._pulse)

    def _stay(self) -> None:
        self._busy_until = time.monotonic() + float(os.environ.get("RISEML_IDLE", IDLE))

    def _idle(self) -> bool:
        if self.runs:
            self._stay()
        return self._leaving or time.monotonic() > self._busy_until

    def _hear_signals(self) -> None:
        """Leave in order on SIGTERM, with the jobs going on; a signal wakes the selector."""
        here, there = socket.socketpair()
        there.setblocking(False)
        signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: self._quit())
        self.selector.register(here, selectors.EVENT_READ, lambda: here.recv(64))
        self._wakers = (here, there)

    # Talk

    def _listen(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        (self.home / "controller.sock").unlink(missing_ok=True)
        with protocol.short(self.home) as path:
            listener.bind(path)
        listener.listen(128)
        listener.setblocking(False)
        self.selector.register(
            listener, selectors.EVENT_READ, lambda: self._accept(listener)
        )

    def _accept(self, listener: socket.socket) -> None:
        channel, _ = listener.accept()
        channel.settimeout(10)
        _send(channel, {"version": __version__})
        received = bytearray()
        self.selector.register(
            channel, selectors.EVENT_READ, lambda: self._receive(channel, received)
        )

    def _receive(self, channel: socket.socket, received: bytearray) -> None:
        try:
            data = channel.recv(1 << 20)
        except OSError:
            data = b""
        received += data
        if not data:
            self.selector.unregister(channel)
            channel.close()
        elif received.endswith(b"\n"):
            self._stay()
            self._replies.append((channel, self._answer(bytes(received))))
            received.clear()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            return {"ok": self._handler(request.pop("act"))(**request)}
        except RiseMLError as error:
            return protocol.failure(error)
        except Exception as error:  # noqa: BLE001
            # A bug must not take the other runs with it
            traceback.print_exc()
            advice = f"Other runs go on. The controller's log says more: {self.home}/controller.log"
            return protocol.failure(
                RiseMLError(
                    f"unexpected error in the local controller: {error!r}", advice
                )
            )

    def _handler(self, act: str) -> Callable[..., Any]:
        handlers: dict[str, Callable[..., Any]] = {
            "start": self.submitter.start,
            "submit": self.submitter.submit,
            "stop": self._stop,
            "delete": self._delete,
            "quit": self._quit,
        }
        if act not in handlers:
            raise InvalidInputError(
                f"the controller does not know '{act}'",
                "Run one version of riseml only.",
            )
        return handlers[act]

    def _stop(
        self, number: int, sub: int | None = None, *, force: bool = False
    ) -> bool:
        run = self.runs.get(number)
        if run is None:
            if self.store.run(number) is None:
                raise NotFoundError(
                    f"there is no run {number}",
                    "`riseml status -a` lists what there is.",
                )
            return False
        return run.stop(sub, force=force)

    def _delete(self, number: int) -> bool:
        """Forget a run; False where it has ended, and its last processes, which had no part in that, are about to."""
        if run := self.runs.get(number):
            if run.run.ended:
                return False
            raise RiseMLError(
                f"run {number} has not ended", f"`riseml kill {number}` first."
            )
        if self.store.run(number) is None:
            raise NotFoundError(
                f"there is no run {number}", "`riseml status -a` lists what there is."
            )
        with self.store.transaction():
            self.store.delete_run(number)
        return True

    def _quit(self) -> None:
        self._leaving = True


def _send(channel: socket.socket, reply: dict[str, Any]) -> None:
    try:
        channel.sendall(protocol.encode(reply))
    except OSError:
        # The command is gone; what it asked for stands
        return


def _identity(home: Path) -> str:
    """Return what parts the processes of this home from those of any other on the machine."""
    status = home.stat()
    return hashlib.sha256(
        f"{status.st_dev} {status.st_ino} {home.resolve()}".encode()
    ).hexdigest()[:12]


def _mounts(home: Path) -> bool:
    """Whether jobs get real mounts: not where RISEML_MOUNTS=off, or where they would hide the home or this Python."""
    if os.environ.get("RISEML_MOUNTS") == "off" or not supported():
        return False
    needed = {
        str(path)
        for path in (
            home,
            home.resolve(),
            Path(sys.executable).resolve(),
            Path(sys.prefix).resolve(),
        )
    }
    return not any(
        path == target or path.startswith(f"{target}/")
        for path in needed
        for target in MOUNTED
    )


def _locked(home: Path) -> int | None:
    """Take the home's lock; None where another controller has come up meanwhile."""
    lock = os.open(
        home / "controller.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    limit = time.monotonic() + protocol.PATIENCE
    while time.monotonic() < limit:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if protocol.answers(home):
                return None
            # An earlier controller's launcher is on its way out
            time.sleep(0.01)
        else:
            os.pwrite(
                lock, f"{os.getpid():<10}\n".encode(), 0
            )  # in one piece, over an earlier one's
            return lock
    raise HomeError(
        f"{home / 'controller.lock'} is held by a process that does not answer",
        "End it, then try again.",
    )


def main(home: Path) -> int:
    """Serve a home; the exit status is 0 also where another controller does already."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if (
        protocol.awaited()
    ):  # what is started from here must not keep the command waiting
        os.set_inheritable(int(sys.argv[2]), False)
    try:
        lock = _locked(home)
        if lock is None:
            protocol.ready({})
            return 0
        Controller(home, lock).serve()
    except RiseMLError as error:
        # Its log
        print(error, flush=True)  # noqa: T201
        protocol.ready(protocol.failure(error))
        return 1
    return 0
