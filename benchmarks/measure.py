"""The form of all benchmarks: fair timing of processes, and the figures that scripts yield.

A script of this folder has a function `measure(rounds)` that yields a `Figure` per row of the table, and ends with
`main(measure)`. Then `python benchmarks/SCRIPT.py` prints its table, and `benchmarks/run` runs all scripts.

    def measure(rounds: int | None = None) -> Iterator[Figure]:
        times = side_by_side({"cat": [...], "riseml logs": [...]}, base="cat", rounds=rounds or 9)
        yield times["riseml logs"].figure("1,000,000 lines to a pipe", target=3)

What is measured is the package that this Python imports. `PYTHONPATH=OTHER` or `benchmarks/run --checkout OTHER`
measures another checkout with the scripts of this one.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_SCRIPT = Path(sys.executable).with_name("riseml")
# The script that users call, so that its cost counts.
RISEML = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "riseml"]
PASS = [sys.executable, "-c", "pass"]
ROUNDS = 7


class CannotMeasureError(Exception):
    """A measurement cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class Sample:
    """One run of a command.

    Attributes:
        seconds: Wall time.
        cpu: User and system seconds of the process and of the children it waited for; None if the caller took the time.
    """

    seconds: float
    cpu: float | None = None


Command = Sequence[str] | Callable[[], float | Sample]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A row of the table.

    Attributes:
        name: What is measured.
        value: Median of the ratios to `base`, or a median in `unit`.
        unit: `x` for ratios; else `s`, `ms`, `MB`, `%`, `/10 s` or a noun.
        base: What a ratio is a ratio to; empty for an absolute value.
        target: The value must not exceed it; None: for information.
        rounds: Number of pairs (of runs, for an absolute value).
        seconds: Median wall time of RiseML.
        base_seconds: The same of the base.
        cpu_ratio: Median ratio of CPU times, which other load of the machine hardly changes; None if not known.
        memory_mb: Peak resident memory, where it is a matter of interest.
        spread: Smallest and largest value of the rounds.
        note: A remark for the table, such as fewer rounds.
    """

    name: str
    value: float
    unit: str = "x"
    base: str = ""
    target: float | None = None
    rounds: int = 1
    seconds: float | None = None
    base_seconds: float | None = None
    cpu_ratio: float | None = None
    memory_mb: float | None = None
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the value is within its target."""
        return self.target is None or self.value <= self.target

    def data(self, script: str) -> dict[str, Any]:
        """Return the fields as JSON data, with the script that measured them."""
        return {"script": script, **asdict(self), "ok": self.ok}


def from_data(data: Mapping[str, Any]) -> Figure:
    """Return the figure that `Figure.data` has written."""
    names = {field.name for field in fields(Figure)}
    values = {name: value for name, value in data.items() if name in names}
    if values["spread"]:
        values["spread"] = tuple(values["spread"])
    return Figure(**values)


def earlier_figures(record: Mapping[str, Any]) -> dict[str, Figure]:
    """Return the figures of `benchmarks/run --compare` by name; empty without that option."""
    before = record.get("before", {"figures": []})
    return {one["name"]: from_data(one) for one in before["figures"]}


Measure = Callable[[int | None], Iterable[Figure]]


@dataclass(frozen=True)
class Comparison:
    """Samples of a command, and of the base in the same rounds."""

    base: str
    samples: Sequence[Sample]
    base_samples: Sequence[Sample]

    @property
    def ratios(self) -> list[float]:
        """Ratios of wall times, one per round."""
        pairs = zip(self.samples, self.base_samples, strict=True)
        return [sample.seconds / base.seconds for sample, base in pairs]

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return median(self.ratios)

    @property
    def seconds(self) -> float:
        """Median wall time of the command."""
        return median(sample.seconds for sample in self.samples)

    @property
    def base_seconds(self) -> float:
        """Median wall time of the base."""
        return median(sample.seconds for sample in self.base_samples)

    @property
    def cpu_ratio(self) -> float | None:
        """Median ratio of CPU times; None where one of them is not known."""
        pairs = zip(self.samples, self.base_samples, strict=True)
        ratios = [one.cpu / base.cpu for one, base in pairs if one.cpu and base.cpu]
        return median(ratios) if ratios else None

    def figure(self, name: str, target: float | None = None, note: str = "") -> Figure:
        """Return the row of the table."""
        return Figure(
            name=name,
            value=self.ratio,
            base=self.base,
            target=target,
            rounds=len(self.samples),
            seconds=self.seconds,
            base_seconds=self.base_seconds,
            cpu_ratio=self.cpu_ratio,
            spread=(min(self.ratios), max(self.ratios)),
            note=note,
        )


def absolute(
    name: str,
    values: Sequence[float],
    unit: str,
    target: float | None = None,
    note: str = "",
) -> Figure:
    """Return a row with the median of values that are compared with nothing."""
    return Figure(
        name=name,
        value=median(values),
        unit=unit,
        target=target,
        rounds=len(values),
        spread=(min(values), max(values)),
        note=note,
    )


def sample(command: Command, **options: object) -> Sample:
    """Run a command once, without its output, or call a function that takes the time.

    Raises:
        CannotMeasureError: The command fails.
    """
    if callable(command):
        result = command()
        return result if isinstance(result, Sample) else Sample(result)
    with tempfile.TemporaryFile() as errors:
        streams = {"stdout": subprocess.DEVNULL, "stderr": errors}
        arguments: dict[str, object] = {**streams, **options}
        begun = time.perf_counter()
        process = subprocess.Popen(command, **arguments)  # type: ignore[call-overload]
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            message = errors.read().decode(errors="replace").strip()
            words = " ".join(map(str, command))
            raise CannotMeasureError(f"{words} exits {process.returncode}: {message}")
    return Sample(seconds, usage.ru_utime + usage.ru_stime)


def side_by_side(
    commands: Mapping[str, Command],
    *,
    base: str,
    rounds: int = ROUNDS,
    warm: bool = True,
    **options: object,
) -> dict[str, Comparison]:
    """Measure commands in turn, as often as there are rounds, and compare all of them with `base`.

    Every second round has the opposite order, so that a machine which becomes slower favors none.

    Args:
        commands: Names and commands.
        base: The name of the command that the others are compared with.
        rounds: Number of rounds that count.
        warm: Run each once before, uncounted.
        options: Of `subprocess.Popen`, for commands that are no functions.
    """
    taken: dict[str, list[Sample]] = {name: [] for name in commands}
    if warm:
        for command in commands.values():
            sample(command, **options)
    for number in range(rounds):
        order = list(commands) if number % 2 == 0 else list(commands)[::-1]
        for name in order:
            taken[name].append(sample(commands[name], **options))
    return {
        name: Comparison(base, samples, taken[base]) for name, samples in taken.items()
    }


def timed(
    work: Callable[[], object], before: Callable[[], object] = lambda: None
) -> Callable[[], Sample]:
    """Return a function that takes the times of `work`, after an untimed `before`."""

    def take() -> Sample:
        before()
        begun_cpu = _cpu_seconds()
        begun = time.perf_counter()
        work()
        seconds = time.perf_counter() - begun
        return Sample(seconds, _cpu_seconds() - begun_cpu)

    return take


def _cpu_seconds() -> float:
    """Return user and system seconds of this process and of the children it waited for."""
    usages = [
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


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


def controller_pid(home: Path) -> int:
    """Return the process id of the controller of a home."""
    return int((home / "controller.lock").read_text())


def memory_mb(pid: int, *, peak: bool = True) -> float:
    """Return the resident memory of a process in MB (2**20 bytes): the highest so far, or as it is now."""
    field = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise CannotMeasureError(f"process {pid} has no {field}")


def require(tool: str, remedy: str) -> None:
    """Check that a program is installed.

    Raises:
        CannotMeasureError: It is not.
    """
    from shutil import which  # noqa: PLC0415  # few scripts need it

    if which(tool) is None:
        raise CannotMeasureError(f"{tool} is not installed. {remedy}")


def row(figure: Figure) -> list[str]:
    """Return the cells of a row."""
    return [
        "" if figure.target is None else "ok" if figure.ok else "OVER",
        figure.name,
        amount(figure.value, figure.unit),
        "" if figure.target is None else f"≤ {amount(figure.target, figure.unit)}",
        figure.base,
        duration(figure.seconds),
        duration(figure.base_seconds),
        "" if figure.cpu_ratio is None else f"{figure.cpu_ratio:.2f} x",
        "" if figure.memory_mb is None else f"{figure.memory_mb:.0f} MB",
        str(figure.rounds),
        figure.note,
    ]


HEADER = ["ok", "measurement", "value", "target", "base", "RiseML", "base takes"]
HEADER += ["CPU", "memory", "rounds", "note"]
NAME, VALUE = HEADER.index("measurement"), HEADER.index("value")


def table(
    figures: Iterable[Figure], earlier: Mapping[str, Figure] | None = None
) -> str:
    """Return figures as a table of plain text, with the values of earlier figures of the same names."""
    rows = [list(HEADER)]
    rows += [row(figure) for figure in figures]
    if earlier:
        rows[0].insert(VALUE, "before")
        for cells in rows[1:]:
            old = earlier.get(cells[NAME])
            cells.insert(VALUE, amount(old.value, old.unit) if old else "")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for cells in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def end_on_term() -> None:
    """Let TERM end this process as Ctrl-C does, so that it leaves no run behind; a second one changes nothing."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(143)

    signal.signal(signal.SIGTERM, end)


def main(measure: Measure) -> None:
    """Run a script: print its table, and write its figures to a file with `-o`.

    The exit status is 1 if a measurement cannot be made, whatever the figures are.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, help="pairs instead of the script's own")
    parser.add_argument("-o", type=Path, metavar="FILE.json", help="write figures here")
    arguments = parser.parse_args()
    end_on_term()
    figures: list[Figure] = []
    failure = ""
    try:
        for figure in measure(arguments.rounds):
            figures.append(figure)
            cells = [cell for cell in row(figure) if cell]
            print(*cells, sep="  ", file=sys.stderr, flush=True)
    except Exception as error:  # noqa: BLE001  # a row that fails must not hide the others
        # The figures until then count, and other scripts go on.
        failure = str(error) or repr(error)
        if not isinstance(error, CannotMeasureError):
            traceback.print_exc()
    print(table(figures))
    if arguments.o:
        script = Path(sys.argv[0]).stem
        rows = [figure.data(script) for figure in figures]
        record = {"figures": rows, "failure": failure}
        arguments.o.write_text(json.dumps(record, indent=1))
    if failure:
        sys.exit(f"cannot measure: {failure}")


def amount(value: float, unit: str) -> str:
    """Return a value as tables show it."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}"


def duration(value: float | None) -> str:
    """Return seconds as tables show them; empty for None."""
    if value is None:
        return ""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"
