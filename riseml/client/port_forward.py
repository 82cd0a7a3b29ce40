"""Ports of this machine that lead to ports of a running job."""

import re
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Self

from riseml.client import access
from riseml.client.context import ClientContext
from riseml.connections import PortListener
from riseml.engines.access import JobAccess
from riseml.errors import InvalidInputError, RiseMLError
from riseml.excerpts import excerpt
from riseml.ids import Id

_PORTS = re.compile(r"(?:(?P<local>[0-9]{0,5}):)?(?P<remote>[0-9]{1,5})")
_MOST = 65535
_CHECK_SECONDS = 1.0


class ForwardedPort(NamedTuple):
    """A port of 127.0.0.1 that leads to a port of a job.

    It `is_own` if the job has the network of this machine, and the ports are the same.
    """

    local: int
    remote: int
    is_own: bool = False


class PortForward:
    """Ports of a job that can be reached from this machine, as long as both run.

    `ports` are in the order of the request. `close` ends them.
    """

    def __init__(
        self,
        job: str,
        job_access: JobAccess,
        ports: Sequence[ForwardedPort],
        on_note: Callable[[str], None],
    ) -> None:
        self.job = job
        self._access, self._on_note = job_access, on_note
        self._refused: set[int] = set()
        self._listeners: list[PortListener] = []
        self.ports: tuple[ForwardedPort, ...] = ()
        try:
            self.ports = tuple(map(self._open, ports))
        except BaseException:
            self.close()
            raise

    def wait(self) -> None:
        """Wait for the end of the job."""
        while not self._access.wait(_CHECK_SECONDS):
            pass

    def close(self) -> None:
        """Accept no more connections; may be called twice."""
        for listener in self._listeners:
            listener.close()
        self._access.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _open(self, port: ForwardedPort) -> ForwardedPort:
        # A listener would take a port that the job may open later.
        if self._access.shares_network and port.local == port.remote:
            return port._replace(is_own=True)

        def serve(client: socket.socket) -> None:
            self._serve(client, port.remote)

        listener = PortListener(port.local, serve)
        self._listeners.append(listener)
        return port._replace(local=listener.port)

    def _serve(self, client: socket.socket, port: int) -> None:
        try:
            self._access.pass_on(client, port)
            self._refused.discard(port)
        except (OSError, RiseMLError) as error:
            # A browser may try it many times.
            if port not in self._refused:
                self._refused.add(port)
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self._on_note(f"riseml: {self.job}, port {port}: {reason}")


def forward(
    context: ClientContext,
    id: str | Id,
    words: Sequence[str | int],
    on_note: Callable[[str], None],
) -> PortForward:
    """Return forwarded ports of a job; see `Client.port_forward`."""
    ports = list(map(parse, words))
    job, job_access = access.open_job(context, id)
    forwarding = PortForward(job.id, job_access, ports, on_note)
    for port in forwarding.ports:
        # A check may fail although connections work.
        with suppress(RiseMLError):
            remark = job_access.remark(port.remote)
            if remark:
                on_note(f"riseml: {remark}")
    return forwarding


def parse(text: str | int) -> ForwardedPort:
    """Return what `8888`, `8080:8888` or `:8888` stands for; port 0 is any free one.

    Raises:
        InvalidInputError: it is none of them.
    """
    match = _PORTS.fullmatch(str(text))
    if match:
        remote = int(match["remote"])
        local = remote if match["local"] is None else int(match["local"] or 0)
        if 0 < remote <= _MOST and local <= _MOST:
            return ForwardedPort(local, remote)
    raise InvalidInputError(
        f"'{excerpt(str(text))}' is not a port",
        "Write 8888, 8080:8888 (this machine's port first), or :8888 for any free port of this machine.",
    )
