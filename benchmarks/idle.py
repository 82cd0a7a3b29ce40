"""What waits, costs nothing: wake-ups of an idle controller, and the CPU time of commands that follow runs.

Wake-ups are context switches of all threads of the controller and of the processes below it. CPU time is compared with
wall time, so other load of the machine hardly matters.
"""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from lab import Lab, lab
from measure import RISEML, Figure, absolute, controller_pid, main

SECONDS = 30.0
PERIODS = 5
EXPERIMENTS = 500
# Until what a run leaves behind is done, and a command has drawn its first screen.
SETTLING_SECONDS = 5.0


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the wake-ups, and the CPU time of `logs -f` and `status -w`."""
    seconds = SECONDS * (rounds or 1)
    with lab() as place:
        place.to_the_end(place.one_job("ended", "'true'"))
        yield _idle(place, 2 * seconds)
        yield from _quiet_job(place, seconds)
    with lab() as place:
        place.variables["RISEML_CPUS"] = str(EXPERIMENTS)
        yield from _running_set(place, seconds)


def _idle(place: Lab, seconds: float) -> Figure:
    time.sleep(SETTLING_SECONDS)
    controller = psutil.Process(controller_pid(place.home))
    amounts = []
    for _ in range(PERIODS):
        count, begun = wakeups(controller), time.monotonic()
        time.sleep(seconds / PERIODS)
        elapsed = time.monotonic() - begun
        amounts.append((wakeups(controller) - count) / elapsed * 10)
    return absolute("idle controller: wake-ups", amounts, "/10 s", 1)


def _quiet_job(place: Lab, seconds: float) -> Iterator[Figure]:
    number = place.train(place.one_job("quiet", "echo started; sleep 1000"))
    used = on_a_terminal([*RISEML, "logs", "-f", number], place, seconds)
    yield absolute("CPU of `logs -f` on a quiet job", used, "%", 0.5)
    place.riseml("kill", "--force", number)


def _running_set(place: Lab, seconds: float) -> Iterator[Figure]:
    """Follow a set in which two experiments start and end per second."""
    project = place.grid("set", EXPERIMENTS, "sleep 10", concurrency=20, cpus=0.01)
    number = place.train(project)
    used = on_a_terminal([*RISEML, "status", "-w", number], place, seconds)
    name = f"CPU of `status -w` on a running set of {EXPERIMENTS}"
    yield absolute(name, used, "%", 2, "two experiments end per second")
    place.riseml("kill", "--force", number)


def wakeups(process: psutil.Process) -> int:
    """Return the context switches of a process and its descendants until now."""
    processes = [process, *process.children(recursive=True)]
    tasks: list[Path] = []
    for one in processes:
        tasks.extend(Path(f"/proc/{one.pid}/task").iterdir())
    return sum(map(_switches, tasks))


def _switches(task: Path) -> int:
    lines = (task / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def shares(pid: int, seconds: float) -> list[float]:
    """Return the share of a core that a process uses in each of five periods, in percent."""
    # Number of the process's CPU clock as Linux counts it; it has nanoseconds, where /proc has hundredths of seconds.
    clock = (~pid << 3) | 2
    taken = []
    for _ in range(PERIODS):
        used, begun = time.clock_gettime(clock), time.monotonic()
        time.sleep(seconds / PERIODS)
        elapsed = time.monotonic() - begun
        taken.append((time.clock_gettime(clock) - used) / elapsed * 100)
    return taken


def on_a_terminal(command: list[str], place: Lab, seconds: float) -> list[float]:
    """Return the shares of a core that a command uses after its first seconds, on 200 columns and 50 lines."""
    fd, terminal = pty.openpty()
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    variables = {**place.variables, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        command,
        cwd=place.folder,
        env=variables,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    threading.Thread(target=_drain, args=(fd,), daemon=True).start()
    time.sleep(2 * SETTLING_SECONDS)
    used = shares(process.pid, seconds)
    process.send_signal(signal.SIGINT)
    process.wait()
    return used


def _drain(fd: int) -> None:
    while True:
        try:
            os.read(fd, 1 << 16)
        except OSError:
            return


if __name__ == "__main__":
    main(measure)
