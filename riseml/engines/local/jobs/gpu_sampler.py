"""Samples of the GPUs of jobs: of each card, and of the job's own processes on it.

A card's utilization is that of all programs, and lags by up to a second. So what a job
uses is the SM time of its own processes, where the driver tells it: not for slices, and not
on WSL2. A process that has computed nothing has no sample.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

from riseml.dataclass import dataclass, field, replace
from riseml.gpus import Gpu
from riseml.readings import GpuUsage

# Few homes have GPUs.
if TYPE_CHECKING:
    from riseml.gpus.usage import GpuProcess, Reading, UsageSample

Pids = frozenset[int]


class Drivers(Protocol):
    """What drivers tell; see `riseml.gpus.usage`."""

    def readings(self, gpus: Sequence[Gpu]) -> "Iterable[Reading]":
        """Return a reading of each GPU."""

    def processes(self, gpus: Sequence[Gpu]) -> "Iterable[GpuProcess]":
        """Return the processes that hold memory of them."""

    def samples(self, gpus: Sequence[Gpu], since: float) -> "Iterable[UsageSample]":
        """Return what processes used of them since a time."""


class GpuSampler:
    """Sampler of GPUs; without an owner of one, it asks no driver."""

    def __init__(
        self,
        drivers: Drivers | None = None,
        detect: Callable[[], Sequence[Gpu]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._drivers, self._detect, self._clock = drivers, detect or _detect, clock
        self._gpus: Sequence[Gpu] | None = None
        self._stack = ExitStack()
        self._since = clock()
        # GPUs of which the driver tells what each process used
        self._told: set[str] = set()

    def sample(
        self, owners: Mapping[str, Sequence[str]], pids: Mapping[str, Pids]
    ) -> dict[str, tuple[GpuUsage, ...]]:
        """Return the GPUs of each job that has some.

        `owners` has the ids of a job's GPUs by its key, `pids` the job's processes.
        """
        if not any(owners.values()):
            self.close()
            return {}
        gpus = self._owned(owners)
        state = self._ask(list(dict.fromkeys(gpus.values())))
        usages = {}
        for key, ids in owners.items():
            own = [gpus[name] for name in ids]
            usages[key] = tuple(
                state.usage(gpu, pids.get(key, frozenset())) for gpu in own
            )
        return usages

    def close(self) -> None:
        """Let the driver go; the next sample opens it again."""
        self._stack.close()
        if isinstance(self._drivers, _SystemDrivers):
            self._drivers = None

    def _owned(self, owners: Mapping[str, Sequence[str]]) -> dict[str, Gpu]:
        """Return the GPUs that jobs have, by the names by which they have them."""
        from riseml.gpus.visibility import named  # noqa: PLC0415

        if self._gpus is None:
            self._gpus = self._detect()
        owned = {}
        for ids in owners.values():
            for position, name in enumerate(ids):
                matches = named(name, self._gpus)
                # A name of RISEML_GPUS may stand for no card.
                owned[name] = matches[0] if matches else Gpu(name, position)
        return owned

    def _ask(self, gpus: list[Gpu]) -> "_State":
        drivers = self._drivers or self._open()
        since, self._since = self._since, self._clock()
        readings = {reading.gpu: reading for reading in drivers.readings(gpus)}
        state = _State(readings, self._told)
        for holder in drivers.processes(gpus):
            state.mem[holder.gpu, holder.pid] = holder.mem or 0
        for sample in drivers.samples(gpus, since):
            self._told.add(sample.gpu)
            state.shares.setdefault((sample.gpu, sample.pid), []).append(sample.sm)
        return state

    def _open(self) -> Drivers:
        from riseml.gpus import usage  # noqa: PLC0415

        self._stack.enter_context(usage.session())
        self._drivers = _SystemDrivers(os.environ.get("PATH", ""))
        return self._drivers


@dataclass
class _State:
    """What drivers say at one time; by id of the GPU and pid where a process is meant."""

    readings: "Mapping[str, Reading]"
    told: set[str]
    mem: dict[tuple[str, int], int] = field(default_factory=dict)
    shares: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def usage(self, gpu: Gpu, pids: Pids) -> GpuUsage:
        """Return a GPU as the job with these processes uses it."""
        reading = self.readings.get(gpu.id)
        share = mem = 0.0
        for pid in pids:
            mem += self.mem.get((gpu.id, pid), 0)
            share += fmean(self.shares.get((gpu.id, pid), [0.0]))
        usage = GpuUsage(
            gpu.id, gpu.index, gpu.name, gpu.bus, mem_total=gpu.mem or None
        )
        if reading is None:
            return usage
        return replace(
            usage,
            util=reading.utilization,
            mem=reading.mem_used,
            mem_total=reading.mem_total or usage.mem_total,
            power=reading.power,
            temp=reading.temperature,
            job_util=min(share, 1.0) if gpu.id in self.told else None,
            job_mem=int(mem),
        )


class _SystemDrivers:
    """The drivers of this machine; `path` finds their programs."""

    def __init__(self, path: str) -> None:
        self._path = path

    def readings(self, gpus: Sequence[Gpu]) -> "Iterable[Reading]":
        from riseml.gpus import usage  # noqa: PLC0415

        return usage.readings(gpus, self._path)

    def processes(self, gpus: Sequence[Gpu]) -> "Iterable[GpuProcess]":
        from riseml.gpus import usage  # noqa: PLC0415

        return usage.processes(gpus, self._path)

    def samples(self, gpus: Sequence[Gpu], since: float) -> "Iterable[UsageSample]":
        from riseml.gpus import usage  # noqa: PLC0415

        return usage.samples(gpus, since, self._path)


def _detect() -> Sequence[Gpu]:
    from riseml.gpus.detection import detect  # noqa: PLC0415

    # Jobs may have GPUs that this command may not use.
    return detect({"PATH": os.environ.get("PATH", "")})
