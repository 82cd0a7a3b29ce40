"""Store of a user: the pod that mounts the user's three claims and serves their files.

/store/repos/<project>.git    code of all runs
/data, /output                the data and output volumes, complete
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from riseml import conditions
from riseml.cluster import STORE
from riseml.cluster.api import Api, path
from riseml.errors import UnreachableError

CONTAINER = "store"
REPOSITORIES = "/store/repos"
UNPACK = "tar -xo --no-same-permissions -f -"
"""Command that unpacks an archive on any file server: some refuse root a change of owner or mode."""

# Binding new claims may take half a minute.
_PATIENCE_SECONDS, _POLL_SECONDS = 90.0, 0.5
# An older pod that is not ready has a problem that waiting does not solve.
_STARTUP = timedelta(minutes=3)


class RunsScripts(Protocol):
    """What runs shell scripts in a store: its pod, or a shell in that."""

    def script(
        self,
        text: str,
        *arguments: str,
        stdin: Iterable[bytes] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run a shell script, with arguments `$1` and so on; return its output."""


class StorePod:
    """Running pod of a namespace's store."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace

    @cached_property
    def pod(self) -> str:
        """The name of a pod that is ready; a pod that was just created is awaited.

        Raises:
            UnreachableError: there is none.
        """
        url_path = path("pods", self.namespace)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            pods = list(self.api.items(url_path, labelSelector=f"app={STORE}"))
            for pod in pods:
                if is_ready(pod):
                    return str(pod["metadata"]["name"])
            if not any(map(_is_starting, pods)) or time.monotonic() > deadline:
                raise self._unavailable(pods)
            time.sleep(_POLL_SECONDS)

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: Iterable[bytes] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run a command in the store, and return its output; see `pod_exec.run`."""
        # Lists of runs often need no command.
        from riseml.cluster import pod_exec  # noqa: PLC0415

        return pod_exec.run(
            self.api,
            self.namespace,
            self.pod,
            CONTAINER,
            command,
            stdin=stdin,
            on_output=on_output,
        )

    def script(
        self,
        text: str,
        *arguments: str,
        stdin: Iterable[bytes] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run a shell script in the store, with arguments `$1` and so on."""
        command = _shell(text, arguments)
        return self.run(command, stdin=stdin, on_output=on_output)

    def stream(
        self, text: str, *arguments: str, stdin: Iterable[bytes] | None = None
    ) -> Iterator[bytes]:
        """Run a shell script in the store, and yield its output."""
        from riseml.cluster import pod_exec  # noqa: PLC0415

        return pod_exec.stream(
            self.api,
            self.namespace,
            self.pod,
            CONTAINER,
            _shell(text, arguments),
            stdin=stdin,
        )

    def _unavailable(self, pods: Sequence[dict[str, Any]]) -> UnreachableError:
        problem = "has no pod"
        if pods:
            problem = f"is {pods[0]['status'].get('phase', 'not ready')}"
        return UnreachableError(
            f"the store of {self.namespace} {problem}",
            "`riseml doctor` shows the reason. An administrator can recreate it with `riseml user update`.",
        )


def is_ready(pod: dict[str, Any]) -> bool:
    """Return whether a pod is ready and not about to be deleted."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return conditions.is_true(pod, "Ready")


def _is_starting(pod: dict[str, Any]) -> bool:
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return datetime.now(UTC) - created < _STARTUP


def _shell(text: str, arguments: Sequence[str]) -> list[str]:
    # The word after the script is `$0`, which the shell shows in its errors.
    return ["sh", "-ec", text, "riseml", *arguments]
