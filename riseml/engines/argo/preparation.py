"""Preparation of a submission: what it needs of the cluster is requested while this process works.

    snapshot ──▶ thread: pod of the store ──▶ shell in it
             ──▶ thread: secrets, settings, name of the submitter
    push, output folders ──▶ one shell

A cluster needs about 50 ms to start a command in a pod, and this process needs longer to
load what compiles the plan.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from riseml.cluster import argo_server, reviews
from riseml.cluster.store import StorePod
from riseml.cluster.store_shell import StoreShell
from riseml.cluster.user_namespace import UserNamespace
from riseml.compiler.cache import DocumentCache
from riseml.errors import UnreachableError

_T = TypeVar("_T")
# Connections that nobody uses are cut at some point, and answers become old.
_VALID_SECONDS = 30.0


class _Background(Generic[_T]):
    """Result of a function that a thread calls."""

    def __init__(self, function: Callable[[], _T]) -> None:
        self._function = function
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._call, daemon=True)
        self._thread.start()

    def _call(self) -> None:
        try:
            self._result = self._function()
        except Exception as error:  # noqa: BLE001
            # `result` raises it where the result is needed.
            self._failure = error

    def result(self) -> _T:
        """Wait for the function, and return or raise what it did."""
        self._thread.join()
        if self._failure:
            raise self._failure
        return self._result


class PreparedStore(StorePod):
    """Store whose scripts share one shell, until one of them has input."""

    def __init__(self, store: StorePod) -> None:
        super().__init__(store.api, store.namespace)
        self._shell: StoreShell | None = StoreShell(self)
        self._opening = _Background(self._open)
        self._used = time.monotonic()

    def script(
        self,
        text: str,
        *arguments: str,
        stdin: Iterable[bytes] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run a shell script in the store; see `StorePod.script`.

        It may run twice if the connection breaks.
        """
        content = None if stdin is None else list(stdin)
        if time.monotonic() - self._used > _VALID_SECONDS:
            self.close()
        # The shell passes no output on before a script has ended.
        shell = None if on_output else self._shell
        if shell is not None:
            self._opening.result()
            with suppress(UnreachableError):
                return self._in_shell(shell, text, arguments, content)
            self._shell = None
            shell.close()
        return super().script(text, *arguments, stdin=content, on_output=on_output)

    def _open(self) -> None:
        shell = self._shell
        if shell is not None:
            shell.open()
        # The command may have failed meanwhile.
        if shell is not None and self._shell is None:
            shell.close()

    def _in_shell(
        self,
        shell: StoreShell,
        text: str,
        arguments: Sequence[str],
        content: Sequence[bytes] | None,
    ) -> bytes:
        self._used = time.monotonic()
        if content is None:
            return shell.script(text, *arguments)
        self._shell = None
        return shell.last_script(text, *arguments, stdin=content)

    def close(self) -> None:
        """End the shell, if it runs."""
        shell, self._shell = self._shell, None
        if shell is not None:
            shell.close()


class Preparation:
    """What the submission of a snapshot needs of the cluster.

    `names_of_secrets` asks for the names of the user's secrets. `documents` are those that
    the home has.
    """

    def __init__(
        self,
        namespace: UserNamespace,
        store: StorePod,
        names_of_secrets: Callable[[], Iterable[str]],
        home: Path,
    ) -> None:
        # It does not look at a Hera that is loaded later.
        self.documents = DocumentCache(home)
        self._namespace, self._names_of_secrets = namespace, names_of_secrets
        self._begun = time.monotonic()
        self.store = PreparedStore(store)
        self._answers = _Background(self._ask)

    @property
    def is_valid(self) -> bool:
        """Whether its answers and its shell are recent enough for a submission."""
        return time.monotonic() - self._begun < _VALID_SECONDS

    def answers(self) -> tuple[list[str], str | None]:
        """Return the names of the secrets, and of the submitter.

        The latter is None if an Argo Server knows the user by a token of its own.

        Raises:
            RiseMLError: the cluster refuses a question.
        """
        return self._answers.result()

    @staticmethod
    def load_compiler() -> None:
        """Load what compiles a document, while the cluster answers, unless the home has it."""
        # If the plan is new, its document is, too.
        if "riseml.planner" in sys.modules:
            from riseml.compiler import workflow  # noqa: F401, PLC0415

    def _ask(self) -> tuple[list[str], str | None]:
        namespace = self._namespace
        secrets = sorted(self._names_of_secrets())
        # They are kept for whoever needs them next.
        namespace.settings  # noqa: B018
        if argo_server.uses_own_token(namespace.api.connection):
            return secrets, None
        return secrets, reviews.name_of_user(namespace.api)
