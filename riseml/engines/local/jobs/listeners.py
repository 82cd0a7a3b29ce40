"""Processes that listen at TCP ports of this machine, and the jobs that they belong to."""

from contextlib import suppress
from typing import NamedTuple

from riseml.engines.local.jobs import processes

_MAX_COMMAND = 100


class Listener(NamedTuple):
    """A process that listens; key and experiment are empty if no job started it."""

    port: int
    key: str
    experiment: str
    command: str


def listeners(port: int = 0) -> list[Listener]:
    """Return the processes that listen at a port, or at any port if it is 0.

    Processes of other users cannot be seen.
    """
    # psutil is slow to load, and needed only after certain failures.
    import psutil  # noqa: PLC0415

    results = []
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if not address or connection.status != psutil.CONN_LISTEN:
                continue
            if port in (0, address.port):
                results.append(_listener(address.port, connection.pid or 0))
    return results


def _listener(port: int, pid: int) -> Listener:
    import psutil  # noqa: PLC0415

    environment: dict[str, str] = {}
    words: list[str] = []
    # It may belong to another user, or end right now.
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        words = process.cmdline()
        environment = process.environ()
    key = environment.get(processes.KEY, "")
    experiment = environment.get("RISEML_EXPERIMENT", "")
    return Listener(port, key, experiment, " ".join(words)[:_MAX_COMMAND])
