"""Screen of `riseml monitor`: a row for each job, most active first if there are too many."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from statistics import fmean

from riseml import phrases
from riseml.cli import sparkline
from riseml.cli.table import Column, clean, render, shorten
from riseml.cli.terminal import Terminal
from riseml.dataclass import dataclass, field
from riseml.readings import GpuUsage, JobUsage

# Readings that say how active a job is.
_RECENT = 10
_PERCENT = 100
_GIB = 1 << 30
# Columns without room are left out in this order, from the highest number.
_DROP_NET, _DROP_STARTED, _DROP_PROJECT, _DROP_DISK = 90, 85, 80, 70
_DROP_GPU_CURVE, _DROP_MEM_CURVE, _DROP_CPU_CURVE = 60, 59, 58
_DROP_GPU_MEM, _DROP_GPU = 50, 40
_UNKNOWN = "N/A"


@dataclass
class History:
    """The last readings of each job, by its id."""

    cpu: dict[str, list[float]] = field(default_factory=dict)
    mem: dict[str, list[float]] = field(default_factory=dict)
    gpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, usages: Sequence[JobUsage]) -> None:
        """Add a reading, and forget jobs that have ended."""
        self.cpu = _extended(self.cpu, usages, attrgetter("cpu"))
        self.mem = _extended(self.mem, usages, attrgetter("mem"))
        self.gpu = _extended(self.gpu, usages, attrgetter("gpu_util"))

    def activity(self, job: str) -> tuple[float, float]:
        """Return a sort key: how busy a job's GPUs and cores were in the last readings."""
        return _mean(self.gpu[job][-_RECENT:]), _mean(self.cpu[job][-_RECENT:])


def _extended(
    values: dict[str, list[float]],
    usages: Sequence[JobUsage],
    value: Callable[[JobUsage], float | None],
) -> dict[str, list[float]]:
    extended = {}
    for usage in usages:
        new = value(usage)
        earlier = values.get(usage.id, [])
        added = [] if new is None else [new]
        extended[usage.id] = [*earlier, *added][-sparkline.READINGS :]
    return extended


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


_Content = tuple[Column, Callable[[JobUsage], str]]
"""A column, and the text that it has in the row of a job."""


def lines(
    usages: Sequence[JobUsage],
    history: History,
    screen: Terminal,
    *,
    room: int | None = None,
    wide: bool = False,
    headers: bool = True,
) -> list[str]:
    """Return at most `room` lines about what jobs use; None: about all of them."""
    head = [_head(usages), ""] if headers else []
    notes = _notes(usages, screen)
    listed = list(usages)
    # The titles, the count of the others, and an empty line before the notes
    rows_room = len(listed)
    if room is not None:
        rows_room = max(room - len(head) - len(notes) - 3, 1)
    if len(listed) > rows_room:
        listed.sort(key=lambda usage: history.activity(usage.id), reverse=True)
    table = _table(listed[:rows_room], history, screen, wide=wide, headers=headers)
    rest = _rest(listed[rows_room:], usages)
    block = [*head, *table, *rest, *notes]
    return [_cut(line, screen) for line in block[:room]]


def _head(usages: Sequence[JobUsage]) -> str:
    cores = sum(usage.cpu or 0.0 for usage in usages)
    mem = sum(usage.mem or 0 for usage in usages)
    text = f"{phrases.plural(len(usages), 'job')}: "
    text += f"{phrases.cores(cores)} cores, {phrases.memory(mem)} memory"
    gpus = {gpu.id for usage in usages for gpu in usage.gpus}
    if not gpus:
        return text
    measured = [usage.gpu_util for usage in usages if usage.gpu_util is not None]
    # What nobody measures may well be busy.
    if not measured:
        return f"{text}, {phrases.plural(len(gpus), 'GPU')}"
    busy = phrases.cores(sum(measured))
    return f"{text}, {busy} of {phrases.plural(len(gpus), 'GPU')} busy"


def _notes(usages: Sequence[JobUsage], screen: Terminal) -> list[str]:
    """Return why something is not measured, once each, after an empty line."""
    # Few jobs have a note.
    import textwrap

    by_note: dict[str, list[str]] = {}
    for usage in usages:
        if usage.note:
            by_note.setdefault(usage.note, []).append(usage.id)
    notes = []
    for note, ids in by_note.items():
        # What holds for all jobs needs no ids.
        subject = "" if len(ids) == len(usages) else f"{', '.join(ids[:3])}: "
        sentence = clean(f"{subject}{note}")
        notes += textwrap.wrap(sentence, screen.width or len(sentence))
    return ["", *notes] if notes else []


def _table(
    usages: Sequence[JobUsage],
    history: History,
    screen: Terminal,
    *,
    wide: bool,
    headers: bool,
) -> list[str]:
    columns, cells = [], []
    for column, content in _contents(usages, history, screen, wide=wide):
        texts = list(map(content, usages))
        # A column without any text tells nothing.
        if any(texts):
            columns.append(column)
            cells.append(texts)
    return render(columns, list(zip(*cells, strict=True)), screen, headers=headers)


def _contents(
    usages: Sequence[JobUsage], history: History, screen: Terminal, *, wide: bool
) -> Iterator[_Content]:
    over = {_mem(usage): "red" for usage in usages if _is_over(usage)}
    styles = over if screen.colour else {}
    yield Column("JOB ID", 6), attrgetter("id")
    if wide:
        yield Column("PROJECT", drop=_DROP_PROJECT, shortest=8), attrgetter("project")
    yield Column("CPU", 9), _cpu
    yield (
        Column("", drop=_DROP_CPU_CURVE),
        partial(_cpu_curve, history=history, screen=screen),
    )
    yield Column("MEM", 9, styles=styles), _mem
    yield (
        Column("", drop=_DROP_MEM_CURVE),
        partial(_mem_curve, history=history, screen=screen),
    )
    yield Column("GPU", drop=_DROP_GPU), _gpu
    yield (
        Column("", drop=_DROP_GPU_CURVE),
        partial(_gpu_curve, history=history, screen=screen),
    )
    yield Column("GPU MEM", drop=_DROP_GPU_MEM), _gpu_mem
    rates = {
        "DISK READ": ("disk_read", _DROP_DISK),
        "DISK WRITE": ("disk_written", _DROP_DISK),
        "NET IN": ("net_received", _DROP_NET),
        "NET OUT": ("net_sent", _DROP_NET),
    }
    for title, (name, drop) in rates.items():
        yield Column(title, 9, drop=drop, right=True), partial(_rate, name)


def _cpu(usage: JobUsage) -> str:
    used = "-" if usage.cpu is None else phrases.cores(usage.cpu)
    if usage.requested is None:
        return used
    return f"{used}/{phrases.cores(float(usage.requested.cpus))} cores"


def _mem(usage: JobUsage) -> str:
    used = "-" if usage.mem is None else phrases.memory(usage.mem)
    if usage.requested is None or not usage.requested.mem:
        return used
    return f"{used} of {phrases.memory(usage.requested.mem)}"


def _is_over(usage: JobUsage) -> bool:
    """Return whether a job uses more memory than it requested."""
    if usage.requested is None or usage.mem is None:
        return False
    return 0 < usage.requested.mem < usage.mem


def _gpu(usage: JobUsage) -> str:
    if not usage.gpus:
        return ""
    used = "-" if usage.gpu_util is None else phrases.cores(usage.gpu_util)
    return f"{used}/{len(usage.gpus)}"


def _gpu_mem(usage: JobUsage) -> str:
    return _gib(usage.gpu_mem, usage.gpu_mem_total) if usage.gpus else ""


def _gib(used: int | None, total: int | None) -> str:
    """Return `60.0/80.0 GiB`, the unit in which makers count the memory of cards."""
    if used is None or total is None:
        return _UNKNOWN
    return f"{used / _GIB:.1f}/{total / _GIB:.1f} GiB"


def _rate(name: str, usage: JobUsage) -> str:
    value: float | None = getattr(usage, name)
    return "" if value is None else f"{phrases.memory(value)}/s"


def _cpu_curve(usage: JobUsage, history: History, screen: Terminal) -> str:
    values = history.cpu.get(usage.id, [])
    requested = float(usage.requested.cpus) if usage.requested else 0.0
    return sparkline.draw(values, max(requested, *values, 0.0), screen)


def _mem_curve(usage: JobUsage, history: History, screen: Terminal) -> str:
    values = history.mem.get(usage.id, [])
    requested = usage.requested.mem if usage.requested else 0
    return sparkline.draw(values, max(requested, *values, 0.0), screen)


def _gpu_curve(usage: JobUsage, history: History, screen: Terminal) -> str:
    values = history.gpu.get(usage.id, [])
    return sparkline.draw(values, max(len(usage.gpus), *values, 0.0), screen)


def _rest(others: Sequence[JobUsage], usages: Sequence[JobUsage]) -> list[str]:
    if not others:
        return []
    cores = sum(usage.cpu or 0.0 for usage in others)
    mem = sum(usage.mem or 0 for usage in others)
    used = f"{phrases.cores(cores)} cores, {phrases.memory(mem)}"
    return [f"and {len(others)} of {len(usages)} jobs that are less active: {used}"]


def gpu_lines(
    usages: Sequence[JobUsage], screen: Terminal, *, headers: bool = True
) -> list[str]:
    """Return a table of GPUs for each job that has some."""
    block: list[str] = []
    without = 0
    for usage in usages:
        if not usage.gpus:
            without += 1
            continue
        block += [f"{usage.id} (STATE: {usage.state})"]
        block += [*_gpu_table(usage.gpus, screen, headers=headers), ""]
    if without:
        block.append(f"{phrases.plural(without, 'job')} without GPUs.")
    return [_cut(line, screen) for line in block]


def _gpu_table(
    gpus: Sequence[GpuUsage], screen: Terminal, *, headers: bool
) -> list[str]:
    columns = [
        Column("ID", 2),
        Column("NAME", 8, shortest=8, drop=2),
        Column("UTIL", 4, right=True),
        Column("MEM", 12),
        Column("POWER", 9, drop=3),
        Column("TEMP", 4, drop=4),
        Column("BUS ID", drop=5),
    ]
    rows = []
    for gpu in sorted(gpus, key=attrgetter("bus", "index")):
        rows.append(_gpu_row(gpu))
    return render(columns, rows, screen, headers=headers)


def _gpu_row(gpu: GpuUsage) -> list[str]:
    power = _UNKNOWN
    if gpu.power is not None:
        limit = "" if gpu.power_limit is None else f"/{gpu.power_limit:.0f}"
        power = f"{gpu.power:.0f}{limit} W"
    return [
        str(gpu.index),
        gpu.name or _UNKNOWN,
        _UNKNOWN if gpu.util is None else f"{gpu.util * _PERCENT:.0f}%",
        _gib(gpu.mem, gpu.mem_total),
        power,
        _UNKNOWN if gpu.temp is None else f"{gpu.temp:.0f} C",
        gpu.bus or _UNKNOWN,
    ]


def _cut(line: str, screen: Terminal) -> str:
    """Return a line that does not wrap; lines of the table are narrow enough."""
    if screen.width is None or "\x1b" in line:
        return line
    return shorten(line, screen.width, unicode=screen.unicode)
