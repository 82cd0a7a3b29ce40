"""Fair timing of whole processes: interleaved rounds, ratios within a round, medians of both."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

Command = Sequence[str] | Callable[[], float]


def seconds(command: Command, **options: object) -> float:
    """Run a command once and return its wall time, or the time that it measured itself."""
    if callable(command):
        return command()
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    return time.perf_counter() - begun


def compare(
    commands: Mapping[str, Command], *, base: str, rounds: int = 9
) -> dict[str, float]:
    """Print median times and ratios to `base`, and return the ratios."""
    for command in commands.values():
        seconds(command)
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(seconds(command))
    ratios = {
        name: median(
            one / other for one, other in zip(values, taken[base], strict=True)
        )
        for name, values in taken.items()
    }
    for name, values in taken.items():
        print(
            f"{name:<44} {median(values) * 1000:>9.1f} ms   {ratios[name]:6.2f} x {base}"
        )
    return ratios


def verdict(what: str, value: float, bar: float, unit: str = "x") -> None:
    """Print a figure next to its limit."""
    print(
        f"{'ok  ' if value <= bar else 'OVER'} {what}: {value:.2f} {unit}, bar {bar:g} {unit}"
    )


def environment(home: Path) -> dict[str, str]:
    """Return the environment of commands on `home`, as in a user's shell."""
    unusual = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
    usual = {name: value for name, value in os.environ.items() if name not in unusual}
    return {**usual, "RISEML_HOME": str(home), "NO_COLOR": "1"}


def said(command: Sequence[str], folder: Path, home: Path) -> str:
    """Run a command in a folder, on a home, and return what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(home),
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def job_seconds(record: Path) -> float:
    """Return the duration of the only job of a run, as its run.json has it."""
    (job,) = json.loads(record.read_text())["experiments"][0]["jobs"]
    begun, ended = (
        datetime.fromisoformat(job[moment]) for moment in ("started", "finished")
    )
    return (ended - begun).total_seconds()
