"""Command that runs in the pod of a job, through the API server.

terminal, signals of this process ──▶ PodCommand ──WebSocket──▶ join.sh ──▶ command
"""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from riseml.cluster import pod_exec
from riseml.cluster.api import Api
from riseml.engines import join_script, terminal
from riseml.engines.access import Command
from riseml.engines.pumps import Pump, write_all
from riseml.errors import RiseMLError

MAIN = "main"
"""Container of a job's commands, as Argo names it."""

_STDERR = 2
_END_OF_INPUT = b"\x04"
_FORWARDED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


class JobPod(NamedTuple):
    """The pod of a running job."""

    api: Api
    namespace: str
    name: str

    def run(self, *words: str) -> bytes:
        """Run a small command to its end, and return its output.

        Raises:
            CommandError: it failed.
            UnreachableError: the connection broke.
        """
        return pod_exec.run(self.api, self.namespace, self.name, MAIN, words)


def run(pod: JobPod, command: Command) -> int:
    """Run a command in a pod, and return its exit status.

    Raises:
        NotFoundError: there is no such pod.
        UnreachableError: the connection broke, or the pod has ended.
    """
    has_terminal = terminal.is_wanted(command)
    pid_file = join_script.pid_file()
    with ExitStack() as stack:
        session = pod_exec.Session(
            pod.api,
            pod.namespace,
            pod.name,
            MAIN,
            join_script.words(command, pid_file),
            stdin=True,
            tty=has_terminal,
        )
        stack.callback(session.close)
        if has_terminal:
            stack.enter_context(_terminal(session, command))
        else:
            stack.enter_context(_signals(pod, pid_file))
        keys = Pump(
            command.streams.stdin, session.send, lambda: _end_input(session, command)
        )
        stack.callback(keys.stop)
        _copy_output(session, command)
    return session.status or 0


def _copy_output(session: pod_exec.Session, command: Command) -> None:
    """Copy the output of a command until it ends."""
    streams = command.streams
    while (output := session.receive()) is not None:
        target = streams.stderr if output.descriptor == _STDERR else streams.stdout
        write_all(target, output.data)


def _end_input(session: pod_exec.Session, command: Command) -> None:
    with suppress(RiseMLError):
        if terminal.is_wanted(command):
            session.send(_END_OF_INPUT)
        else:
            session.end_input()


@contextmanager
def _terminal(session: pod_exec.Session, command: Command) -> Iterator[None]:
    """Make the terminal of a command that of this process, as long as the context lasts."""

    def resize(_number: int, _frame: object) -> None:
        # The handler may interrupt a message that is being sent.
        threading.Thread(target=_resize, args=(session, command), daemon=True).start()

    _resize(session, command)
    with (
        terminal.raw_input(command.streams),
        terminal.handlers({signal.SIGWINCH: resize}),
    ):
        yield


def _resize(session: pod_exec.Session, command: Command) -> None:
    size = terminal.size(command.streams)
    with suppress(RiseMLError):
        session.resize(size.columns, size.lines)


@contextmanager
def _signals(pod: JobPod, pid_file: str) -> Iterator[None]:
    """Send the signals of this process to a command without a terminal."""

    def forward(number: int, _frame: object) -> None:
        name = signal.Signals(number).name.removeprefix("SIG")
        words = join_script.kill_words(pid_file, name)
        threading.Thread(target=_send, args=(pod, words), daemon=True).start()

    with terminal.handlers(dict.fromkeys(_FORWARDED, forward)):
        yield


def _send(pod: JobPod, words: Sequence[str]) -> None:
    # It may have ended by now.
    with suppress(RiseMLError):
        pod.run(*words)
