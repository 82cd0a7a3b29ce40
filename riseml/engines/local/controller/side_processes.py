"""Small processes beside the controller: what may take seconds must not hold up its loop."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from riseml.engines.local.controller.loop import EventLoop
from riseml.engines.local.jobs import bare, processes


def run(
    module: str,
    arguments: Sequence[str],
    loop: EventLoop,
    done: Callable[[int], None],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run `main()` of a module of `jobs`; call `done` with its exit status."""
    command = (sys.executable, "-I", "-S", str(Path(bare.__file__)), module)
    process = subprocess.Popen(
        [*command, *arguments], stdin=subprocess.DEVNULL, env=environment
    )
    pidfd = processes.pidfd(process.pid)
    if pidfd is None:
        loop.poll(lambda: process.poll() is None, lambda: done(process.wait()))
        return

    def finish() -> None:
        loop.ignore(pidfd)
        os.close(pidfd)
        done(process.wait())

    loop.on_readable(pidfd, finish)
