"""User's store whose scripts run on this machine."""

import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from riseml.cluster.command_error import CommandError


class Shell:
    """Runs scripts as StorePod does, with the folder `output` as /output.

    `sent` counts the bytes that `on_output` got.
    """

    def __init__(self, output: Path) -> None:
        self.output, self.sent = output, 0

    def script(
        self,
        text: str,
        *arguments: str,
        stdin: Iterable[bytes] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Run a script to its end and return what it wrote."""
        output = b"".join(self.stream(text, *arguments, stdin=stdin))
        if on_output:
            self.sent += len(output)
            on_output(output)
        return output

    def close(self) -> None:
        """Do nothing: each script is a process of its own."""

    def stream(
        self, text: str, *arguments: str, stdin: Iterable[bytes] | None = None
    ) -> Iterator[bytes]:
        """Run a script and yield what it writes."""
        argv = [
            "sh",
            "-ec",
            text.replace("/output", str(self.output)),
            "riseml",
            *arguments,
        ]
        done = subprocess.run(
            argv, input=b"".join(stdin or ()), capture_output=True, check=False
        )
        yield from (
            done.stdout[start : start + 1000]
            for start in range(0, len(done.stdout), 1000)
        )
        if done.returncode:
            raise CommandError(done.returncode, done.stderr.decode(errors="replace"))
