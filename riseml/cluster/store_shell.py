"""Shell in a container, such as a user's store, that runs one script after the other over one connection.

    script, its arguments and its input ──▶ sh ──▶ output, then a line `<token> <exit status>`

A command of its own for each script would cost the API server and the node much more.
The shell ends with the connection.
"""

import re
import secrets
import shlex
from collections.abc import Callable, Iterable
from typing import NamedTuple

from riseml.cluster.api import Api
from riseml.cluster.command_error import CommandError
from riseml.cluster.pod_exec import Session, transfer
from riseml.cluster.store import CONTAINER, StorePod
from riseml.errors import UnreachableError

_STDOUT = 1
# Standard output and standard error come separately. What a script that fails has written
# to the latter is complete when the token has come there, too.
_REPORT = (
    "exit_status=$?; [ $exit_status = 0 ] || printf '\\n%s\\n' {token} >&2; "
    "printf '\\n%s %s\\n' {token} $exit_status\n"
)


class _Ended(NamedTuple):
    """How a command has ended: what it wrote, and what was written after it."""

    status: int
    output: bytes = b""
    later_output: bytes = b""
    errors: bytes = b""


class ContainerShell:
    """Runs scripts in a container; the connection opens with the first one.

    After an error, it opens another one. It is not for several threads at once.
    """

    def __init__(self, api: Api, namespace: str, pod: str, container: str) -> None:
        self._api, self._namespace = api, namespace
        self._pod, self._container = pod, container
        self._session: Session | None = None

    def script(
        self,
        text: str,
        *arguments: str,
        stdin: Iterable[bytes] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run a shell script, with arguments `$1` and so on; return its output.

        The input must be text, and ends with a line break.

        Raises:
            CommandError: the exit status is not 0.
            UnreachableError: the connection broke, or the store is unavailable.
        """
        token = secrets.token_hex(16)
        words = _words(text, arguments)
        content = b"".join(stdin or ()).decode(errors="surrogateescape")
        command = (
            f"{words} <<'{token}'\n{content}\n{token}\n{_REPORT.format(token=token)}"
        )
        ended = self._run(command, token)
        if ended.status:
            raise CommandError(ended.status, ended.errors.decode(errors="replace"))
        if on_output is None:
            return ended.output
        on_output(ended.output)
        return b""

    def last_script(
        self, text: str, *arguments: str, stdin: Iterable[bytes] = ()
    ) -> bytes:
        """Run a shell script whose input may be any bytes, and end the shell with it.

        Raises:
            CommandError: the exit status is not 0.
            UnreachableError: the connection broke, or the store is unavailable.
        """
        token = secrets.token_hex(16)
        # A shell may read ahead, so no input is sent before the script has taken its place.
        command = f"printf '\\n%s 0\\n' {token}; exec {_words(text, arguments)}\n"
        ended = self._run(command, token)
        session, self._session = self._session, None
        if session is None:
            raise UnreachableError("the shell in the cluster has ended")
        return ended.later_output + b"".join(transfer(session, stdin))

    def open(self) -> Session:
        """Open the connection, unless it is open, and return it.

        Raises:
            UnreachableError: the store is unavailable.
        """
        if self._session is None:
            self._session = Session(
                self._api,
                self._namespace,
                self._name(),
                self._container,
                ["sh"],
                stdin=True,
            )
        return self._session

    def close(self) -> None:
        """End the shell."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _run(self, command: str, token: str) -> _Ended:
        """Run a command that writes the token at its end; the shell ends after an error."""
        try:
            return self._send(command, token)
        except BaseException:
            self.close()
            raise

    def _send(self, command: str, token: str) -> _Ended:
        session = self.open()
        session.send(command.encode(errors="surrogateescape"))
        end = re.compile(rb"\n%s (\d+)\n" % token.encode())
        last_error = b"\n%s\n" % token.encode()
        output, errors = bytearray(), bytearray()
        match = None
        while (received := session.receive()) is not None:
            if received.descriptor == _STDOUT:
                # The line is short, and the output may be long.
                start = max(len(output) - 2 * len(token), 0)
                output += received.data
                match = match or end.search(output, start)
            else:
                errors += received.data
            if match and (match[1] == b"0" or last_error in errors):
                before, later = output[: match.start()], output[match.end() :]
                own_errors = bytes(errors.partition(last_error)[0])
                return _Ended(int(match[1]), bytes(before), bytes(later), own_errors)
        # The shell itself has ended, for example because its pod is being removed.
        self.close()
        return _Ended(session.status or 1, errors=bytes(errors))

    def _name(self) -> str:
        return self._pod


class StoreShell(ContainerShell):
    """Runs scripts in a store as a StorePod does."""

    def __init__(self, store: StorePod) -> None:
        super().__init__(store.api, store.namespace, "", CONTAINER)
        self._store = store

    def _name(self) -> str:
        # It may have to be awaited.
        return self._store.pod


def _words(text: str, arguments: Iterable[str]) -> str:
    """Return the command line that runs a script."""
    return " ".join(map(shlex.quote, ("sh", "-ec", text, "riseml", *arguments)))
