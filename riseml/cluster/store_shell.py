"""Shell in a user's store that runs one script after the other over one connection.

    script, its arguments and its input ──▶ sh ──▶ output, then a line `<token> <exit status>`

A command of its own for each script would cost the API server and the node much more.
The shell ends with the connection.
"""

import re
import secrets
import shlex
from collections.abc import Callable, Iterable

from riseml.cluster.pod_exec import CommandError, Session
from riseml.cluster.store import CONTAINER, StorePod

_STDOUT = 1


class StoreShell:
    """Runs scripts as a StorePod does; the connection opens with the first one.

    After an error, it opens another one. It is not for several threads at once.
    """

    def __init__(self, store: StorePod) -> None:
        self._store = store
        self._session: Session | None = None

    def script(
        self,
        text: str,
        *arguments: str,
        stdin: Iterable[bytes] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run a shell script in the store, with arguments `$1` and so on; return its output.

        The input must be text, and ends with a line break.

        Raises:
            CommandError: the exit status is not 0.
            UnreachableError: the connection broke, or the store is unavailable.
        """
        token = secrets.token_hex(16)
        words = " ".join(map(shlex.quote, ("sh", "-ec", text, "riseml", *arguments)))
        content = b"".join(stdin or ()).decode(errors="surrogateescape")
        command = f"{words} <<'{token}'\n{content}\n{token}\nprintf '\\n%s %s\\n' {token} $?\n"
        try:
            output, status = self._run(command, token)
        except BaseException:
            self.close()
            raise
        if status:
            raise CommandError(status, "")
        if on_output is None:
            return output
        on_output(output)
        return b""

    def close(self) -> None:
        """End the shell."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _run(self, command: str, token: str) -> tuple[bytes, int]:
        session = self._open()
        session.send(command.encode(errors="surrogateescape"))
        end = re.compile(rb"\n%s (\d+)\n\Z" % token.encode())
        output = bytearray()
        while (received := session.receive()) is not None:
            if received.descriptor != _STDOUT:
                continue
            output += received.data
            # The line is short, and the output may be long.
            match = end.search(output, max(len(output) - 2 * len(token), 0))
            if match is not None:
                return bytes(output[: match.start()]), int(match[1])
        # The shell itself has ended, for example because its pod is being removed.
        self.close()
        return b"", session.status or 1

    def _open(self) -> Session:
        if self._session is None:
            store = self._store
            self._session = Session(
                store.api, store.namespace, store.pod, CONTAINER, ["sh"], stdin=True
            )
        return self._session
