"""A user's store: the pod that mounts the three claims, and does with their files what a user asks for.

/store/repos/<project>.git    code of all runs       /data, /output    as in jobs, but whole
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from riseml.cluster import STORE, pod_exec
from riseml.cluster.api import Api, path
from riseml.errors import UnreachableError

CONTAINER = "store"
# Seconds: claims may take half a minute to be bound
_PATIENCE, _PAUSE = 90.0, 0.5
_YOUNG = timedelta(minutes=3)
REPOSITORIES = "/store/repos"


class StorePod:
    """The running pod of a namespace's store."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace

    @cached_property
    def pod(self) -> str:
        """The name of a pod that is ready; one that was made just now is waited for.

        Raises:
            UnreachableError: there is none.
        """
        end = time.monotonic() + _PATIENCE
        while True:
            found = list(
                self.api.items(
                    path("pods", self.namespace), labelSelector=f"app={STORE}"
                )
            )
            ready = [pod for pod in found if is_ready(pod)]
            if ready:
                return str(ready[0]["metadata"]["name"])
            if not any(map(_is_young, found)) or time.monotonic() > end:
                break
            time.sleep(_PAUSE)
        what = (
            f"is {found[0]['status'].get('phase', 'not there')}"
            if found
            else "is not there"
        )
        raise UnreachableError(
            f"the store of {self.namespace} {what}",
            "`riseml doctor` says more; the administrator's `riseml user update` makes it anew.",
        )

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: Iterable[bytes] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run a command there; see `execution.run`."""
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
        """Run a shell script there; its arguments are `$1` and so on."""
        return self.run(_shell(text, arguments), stdin=stdin, on_output=on_output)

    def stream(
        self, text: str, *arguments: str, stdin: Iterable[bytes] | None = None
    ) -> Iterator[bytes]:
        """Run a shell script there, and yield what it writes."""
        words = _shell(text, arguments)
        return pod_exec.stream(
            self.api, self.namespace, self.pod, CONTAINER, words, stdin=stdin
        )


def _shell(text: str, arguments: Sequence[str]) -> list[str]:
    return ["sh", "-ec", text, "riseml", *arguments]


def _is_young(pod: dict[str, Any]) -> bool:
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return datetime.now(UTC) - made < _YOUNG


def is_ready(pod: dict[str, object]) -> bool:
    """Whether a pod runs, is ready and is not on its way out."""
    metadata, status = pod["metadata"], pod.get("status", {})
    if (
        not isinstance(metadata, dict)
        or not isinstance(status, dict)
        or metadata.get("deletionTimestamp")
    ):
        return False
    conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
    return conditions.get("Ready") == "True"
