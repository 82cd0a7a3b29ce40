"""Controller of a home: one process, detached from every terminal, that runs what was submitted.

    command ── request ──▶ ┌────────┐ ── StartPod ──▶ launcher ──▶ jobs
    pidfd of a job ──────▶ │ Server │ ── commit ────▶ store
    timer ───────────────▶ └────────┘

It waits for one of the three, hands the event to the interpreter of the run, does what
that asks for, commits, and only then replies. It may be killed at any time: jobs
continue, and the next controller reads their exit statuses from their folders.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from riseml import __version__, home_folder
from riseml.engines.local import checkouts, own_jobs, protocol, reserve
from riseml.engines.local.controller import lost_database
from riseml.engines.local.controller.active_run import ActiveRun
from riseml.engines.local.controller.capacity import measure_machine
from riseml.engines.local.controller.gpu_access import GpuAccess
from riseml.engines.local.controller.gpu_survey import GpuSurvey, ask_drivers
from riseml.engines.local.controller.log import logger, start_log
from riseml.engines.local.controller.loop import EventLoop, FolderRemover, protect
from riseml.engines.local.controller.machine import MachineQueue
from riseml.engines.local.controller.mutexes import Mutexes
from riseml.engines.local.controller.ports import Ports
from riseml.engines.local.controller.runs import ActiveRuns
from riseml.engines.local.controller.services import Services, workflow_key
from riseml.engines.local.controller.submit import Submitter
from riseml.engines.local.home import HomeLayout, data_folder
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.jobs import attributes
from riseml.engines.local.jobs.launcher import Launcher
from riseml.engines.local.jobs.mounts import supported
from riseml.engines.local.jobs.pod_to_process import MOUNTED
from riseml.engines.local.store import Store
from riseml.errors import HomeError, InvalidInputError, RiseMLError

IDLE_SECONDS = 600.0
"""Time without runs and requests after which a controller exits."""

_REQUEST_TIMEOUT_SECONDS = 10.0
_LOCK_POLL_SECONDS = 0.01
_BACKLOG = 128
# Writes to closed sockets and beyond the limit of a file's size raise errors instead.
_IGNORED_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)
_READ_BYTES = 1 << 20


class Server:
    """The socket of a home's controller: receives requests, and replies after the commit."""

    def __init__(self, services: Services, runs: ActiveRuns) -> None:
        self._services, self._runs = services, runs
        self._home = services.layout.home
        self._greeting = {"version": __version__, "bounds": attributes.bounds()}
        submitter = Submitter(services, runs)
        self._handlers: dict[str, Callable[..., Any]] = {
            "start": submitter.start,
            "submit": submitter.submit,
            "stop": runs.stop,
            "delete": runs.delete,
            "mark": runs.mark,
            "clean": runs.end_leftovers,
            "check": runs.check,
            "repair": runs.repair,
            "quit": self._quit,
        }
        self._replies: list[tuple[socket.socket, dict[str, Any]]] = []
        self._is_quitting = False
        # A controller that no command waits for exits as soon as no run is active.
        self._idle_from = time.monotonic()
        if protocol.is_awaited():
            self._stay()

    def serve(self) -> None:
        """Serve the home until there has been nothing to do for a while."""
        self._listen()
        self._exit_on_sigterm()
        self._runs.restore()
        self._settle()
        logger.info("controller %d serves %s", os.getpid(), self._home)
        protocol.report_start({})
        while not self._is_finished():
            self._services.loop.run_once(self._idle_from)
            protect(self._settle)
        # Sockets close last, so that a command which waits for that finds all changes.
        self._services.remover.close()
        self._services.store.close()
        self._services.launcher.close()
        logger.info("controller %d exits", os.getpid())

    def _settle(self) -> None:
        if not self._runs.settle(is_awaited=bool(self._replies)):
            return
        for channel, reply in self._replies:
            _send(channel, reply)
        self._replies.clear()

    def _stay(self) -> None:
        idle_seconds = float(os.environ.get("RISEML_IDLE", IDLE_SECONDS))
        self._idle_from = time.monotonic() + idle_seconds

    def _is_finished(self) -> bool:
        if self._runs:
            self._stay()
        return self._is_quitting or time.monotonic() > self._idle_from

    def _quit(self) -> None:
        self._is_quitting = True

    def _exit_on_sigterm(self) -> None:
        """Exit in order on SIGTERM, while jobs continue."""
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        # Python runs a signal's handler only between steps of its own: the byte that it
        # sends here ends the wait for events.
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: self._quit())

        def drain() -> None:
            receiver.recv(64)

        self._services.loop.on_readable(receiver.fileno(), drain)
        # A socket without a reference would be closed.
        self._wakeup_sockets = (receiver, sender)

    # Requests

    def _listen(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        (self._home / "controller.sock").unlink(missing_ok=True)
        with protocol.short_socket_path(self._home) as path:
            listener.bind(path)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        self._services.loop.on_readable(
            listener.fileno(), lambda: self._accept(listener)
        )

    def _accept(self, listener: socket.socket) -> None:
        channel, _ = listener.accept()
        channel.settimeout(_REQUEST_TIMEOUT_SECONDS)
        _send(channel, self._greeting)
        received = bytearray()
        self._services.loop.on_readable(
            channel.fileno(), lambda: self._receive(channel, received)
        )

    def _receive(self, channel: socket.socket, received: bytearray) -> None:
        try:
            data = channel.recv(_READ_BYTES)
        except OSError:
            data = b""
        received += data
        if not data:
            self._services.loop.ignore(channel.fileno())
            channel.close()
        elif received.endswith(b"\n"):
            self._stay()
            self._replies.append((channel, self._reply(bytes(received))))
            received.clear()

    def _reply(self, line: bytes) -> dict[str, Any]:
        """Carry out a request, and return the reply to send after the commit."""
        try:
            request = json.loads(line)
            handler = self._handler(request.pop("act"))
            return {"ok": handler(**request)}
        except RiseMLError as error:
            logger.info("request refused: %s", error)
            return protocol.failure(error)
        except Exception as error:  # noqa: BLE001
            # A bug in one request must not end the other runs.
            logger.exception("request failed")
            return protocol.failure(
                RiseMLError(
                    f"unexpected error in the local controller: {error!r}",
                    f"Other runs continue. See {protocol.log_file(self._home)}.",
                )
            )

    def _handler(self, act: str) -> Callable[..., Any]:
        if act not in self._handlers:
            raise InvalidInputError(
                f"the controller does not know '{act}'",
                "Use the same version of riseml everywhere.",
            )
        return self._handlers[act]


def _send(channel: socket.socket, reply: dict[str, Any]) -> None:
    try:
        channel.sendall(protocol.encode(reply))
    except OSError:
        # The command is gone; its request has been carried out all the same.
        return


def _open_services(
    home: Path, lock: int, runs: dict[int, ActiveRun], starter: attributes.Attributes
) -> Services:
    """Open everything that the runs of a home share.

    Raises:
        HomeError: the database cannot be used.
    """
    store = reserve.spend(home, lambda: Store.create(home, COLUMNS), last=True)
    lost_database.rebuild_new(store, home)
    lost_database.end_ended(store, home)
    layout = HomeLayout(home, data_folder(home), mounts=_can_mount(home))
    layout.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("store", "output", "runs", "envs"):
        home_folder.make_folder(home / name)
    layout = checkouts.prepare(layout)
    launcher = Launcher(home, lock, [*protocol.CONTROLLER, str(home)])
    loop = EventLoop()
    identity = own_jobs.identity(home)
    capacity = measure_machine(os.environ)
    survey = GpuSurvey(ask_drivers(identity), loop)

    def environment(key: str) -> Mapping[str, str]:
        return runs[workflow_key(key)].pods.inherited.environment

    access = GpuAccess(capacity.gpus, environment, identity, survey)
    return Services(
        identity=identity,
        layout=layout,
        store=store,
        launcher=launcher,
        machine=MachineQueue(capacity, access),
        ports=Ports(),
        mutexes=Mutexes(),
        loop=loop,
        remover=FolderRemover(loop),
        runs=runs,
        attributes=attributes.current(),
        starter=starter,
    )


def _can_mount(home: Path) -> bool:
    """Return whether jobs get real mounts.

    They do not if RISEML_MOUNTS=off, or if mounts would hide the home or this Python.
    """
    if os.environ.get("RISEML_MOUNTS") == "off" or not supported():
        return False
    python, prefix = Path(sys.executable).resolve(), Path(sys.prefix).resolve()
    for path in (home, home.resolve(), python, prefix):
        for target in MOUNTED:
            if path.is_relative_to(target):
                return False
    return True


def _take_lock(home: Path) -> int | None:
    """Return a descriptor that holds the home's lock; None if a controller serves it.

    Raises:
        HomeError: a process holds the lock and does not answer.
    """
    path = home / "controller.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    limit = time.monotonic() + protocol.START_TIMEOUT_SECONDS
    while time.monotonic() < limit:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if protocol.answers(home):
                return None
            # The launcher of an earlier controller is about to release it.
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            # The pid is only for people, and may not fit on a full disk.
            with contextlib.suppress(OSError):
                # One write over the pid of the earlier controller, of the same length.
                os.pwrite(lock, f"{os.getpid():<10}\n".encode(), 0)
            return lock
    raise HomeError(
        f"{path} is held by a process that does not answer",
        "Stop that process, then try again.",
    )


def _detach() -> attributes.Attributes:
    """Inherit nothing from the starter of this controller; return its attributes.

    It may be any command, and later runs have nothing to do with it.
    """
    starter = attributes.current()
    attributes.close_descriptors(protocol.ready_descriptors())
    with contextlib.suppress(PermissionError):
        # This process leads its session already.
        os.setsid()
    attributes.reset()
    attributes.reset_signals()
    for number in _IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return starter


def main(home: Path) -> int:
    """Serve a home; return 0 also if another controller serves it already."""
    starter = _detach()
    protocol.keep_report_private()
    try:
        # The home may have changed since an earlier controller served it.
        home_folder.prepare(home)
        lock = _take_lock(home)
        if lock is None:
            protocol.report_start({})
            return 0
        start_log(home)
        active: dict[int, ActiveRun] = {}
        services = _open_services(home, lock, active, starter)
        Server(services, ActiveRuns(services, active)).serve()
    except RiseMLError as error:
        logger.error("controller %d exits: %s", os.getpid(), error)
        protocol.report_start(protocol.failure(error))
        return 1
    except Exception:
        logger.exception("controller %d exits", os.getpid())
        raise
    return 0
