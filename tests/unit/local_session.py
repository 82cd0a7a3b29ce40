"""Session of `pod_exec` with a shell of this machine, whose output comes in small pieces."""

import os
import selectors
import subprocess
from typing import Any

from riseml.cluster.pod_exec import Output
from riseml.errors import UnreachableError

_PIECE = 7


class LocalSession:
    """Runs the command of a session here; `opened` counts them."""

    opened = 0

    def __init__(self, *arguments: Any, stdin: bool) -> None:
        assert stdin
        LocalSession.opened += 1
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            arguments[-1], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0
        )
        self._outputs = selectors.DefaultSelector()
        for number, stream in enumerate(
            (self._process.stdout, self._process.stderr), start=1
        ):
            assert stream is not None
            self._outputs.register(stream, selectors.EVENT_READ, number)
        self.status: int | None = None

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        unwritten = memoryview(data)
        try:
            # A pipe may accept only the beginning.
            while unwritten:
                unwritten = unwritten[
                    os.write(self._process.stdin.fileno(), unwritten) :
                ]
        except BrokenPipeError:
            raise UnreachableError("the shell has ended") from None

    def end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def receive(self) -> Output | None:
        # What a command writes to stderr first also arrives first, since both are read in turn.
        while self._outputs.get_map():
            ready = sorted(self._outputs.select(), key=lambda item: -item[0].data)
            key, _ = ready[0]
            data = os.read(key.fd, _PIECE)
            if data:
                return Output(key.data, data)
            self._outputs.unregister(key.fileobj)
        self.status = self._process.wait()
        return None

    def close(self) -> None:
        self._outputs.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        self._process.wait()
