"""Checks of the files of pods' logs: whether the kubelet has replaced one while it is read.

One thread asks for the first lines of all files, one after the other, so many long logs
do not mean many requests at once.
"""

import time
from queue import SimpleQueue
from threading import Thread

from riseml.cluster.api import Api
from riseml.engines.argo.log_events import Event, FileCheck
from riseml.engines.argo.pod_file import PodFile
from riseml.engines.argo.pod_log import PodLog

_HELD_SECONDS = 0.3
_IDLE_SECONDS = 5.0


class FileChecks:
    """Puts into a queue how files begin."""

    def __init__(self, api: Api, namespace: str, events: SimpleQueue[Event]) -> None:
        self._api, self._namespace, self._events = api, namespace, events
        self._requests: SimpleQueue[tuple[PodLog, int, int] | None] = SimpleQueue()
        self._times: dict[str, float] = {}
        # The pods whose files are being checked.
        self._pending: set[str] = set()
        self._is_started = False

    def request(self, log: PodLog) -> None:
        """Check the file of a log, unless that has just been done or is being done."""
        now = time.monotonic()
        # Somebody waits for what is held, and for the end of a log.
        is_awaited = log.held or log.is_read
        pause = _HELD_SECONDS if is_awaited else _IDLE_SECONDS
        if log.pod in self._pending or now - self._times.get(log.pod, 0.0) < pause:
            return
        self._times[log.pod] = now
        self._pending.add(log.pod)
        self._requests.put((log, log.generation, len(log.held)))
        if not self._is_started:
            self._is_started = True
            Thread(
                target=self._read_requests, daemon=True, name="riseml-file-checks"
            ).start()

    def has_arrived(self, check: FileCheck) -> None:
        """Allow another check of the file."""
        self._pending.discard(check.log.pod)

    def close(self) -> None:
        """End the thread."""
        self._requests.put(None)

    def _read_requests(self) -> None:
        while request := self._requests.get():
            log, generation, pieces = request
            try:
                file = PodFile(self._api, self._namespace, log.pod)
                first_line = file.first_line()
            except Exception:  # noqa: BLE001
                # An exception would end the only thread. The file is checked again.
                first_line = None
            self._events.put(FileCheck(log, generation, pieces, first_line))
