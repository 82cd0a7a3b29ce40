"""Network of a running job of this machine: connections to its ports, and who listens there."""

import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from riseml.connections import listening_ports
from riseml.engines.local.jobs import job_sockets, launcher, listeners


class JobNetwork:
    """The network in which a process of a job is; `key` is that of the job.

    `connect` starts a process in a network that is not this machine's; `close` ends it.
    """

    def __init__(self, pid: int, key: str) -> None:
        self._pid, self._key = pid, key
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether it is the network of this machine."""
        if sys.platform == "linux":
            with suppress(OSError):
                return Path(f"/proc/{self._pid}/ns/net").samefile("/proc/self/ns/net")
        return True

    def remark(self, port: int, job: str) -> str:
        """Return what keeps a job from answering at a port, in a sentence; "" if nothing does."""
        absent = f"{job} does not listen on port {port} yet"
        if not self.is_shared:
            return "" if port in _ports(self._pid) else absent
        owners = listeners.listeners(port)
        if not owners:
            return absent
        if any(owner.key == self._key for owner in owners):
            return ""
        command = owners[0].command or "a program of another user"
        return f"port {port} of this machine belongs to `{command}`, not to {job}"

    def connect(self, port: int) -> socket.socket:
        """Return a connection to a port of the job.

        Raises:
            OSError: nothing accepts it, or the job has ended.
        """
        if self.is_shared:
            return job_sockets.connect(port)
        with self._lock:
            requests = self._requests or self._start()
            requests.sendall(job_sockets.request(port))
            return _receive(requests)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            words = ["job_sockets", str(theirs.fileno()), str(self._pid)]
            self._process = subprocess.Popen(
                [*launcher.bare(), *words],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                # Ctrl-C ends it through the end of its input.
                start_new_session=True,
            )
        self._requests = ours
        job_sockets.check(ours.recv(1))
        return ours

    def close(self) -> None:
        """End the process that opens connections; may be called twice."""
        if self._requests and self._process:
            self._requests.close()
            self._process.wait()
            self._requests = None


def _receive(requests: socket.socket) -> socket.socket:
    answer, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
    job_sockets.check(answer)
    return socket.socket(fileno=descriptors[0])


def _ports(pid: int) -> set[int]:
    """Return the TCP ports at which processes in a process's network listen."""
    ports = set[int]()
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            table = Path(f"/proc/{pid}/net/{name}").read_text()
            ports |= listening_ports(table)
    return ports
