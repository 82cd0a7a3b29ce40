"""Which waiting jobs this machine has room for: requests against cores, memory and GPUs over all runs of the home.

The jobs of a gang get their places together or not at all: half a gang would hold its half for nothing. A job that asks
for nothing, a TensorBoard, is in nobody's way; it starts with the first other job of its run, not hours before.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from riseml.plan import Resources


@dataclass(frozen=True)
class Capacity:
    """What jobs may use together: cores, bytes, and the names that CUDA_VISIBLE_DEVICES gives its GPUs."""

    cpus: Decimal
    mem: int
    gpus: tuple[str, ...] = ()

    def lacks(self, request: Resources) -> str:
        """Say why a request can never fit, or return an empty text."""
        for what, asked, there in (
            ("cpus", request.cpus, self.cpus),
            ("mem", request.mem // 1_000_000, self.mem // 1_000_000),
            ("gpus", request.gpus, len(self.gpus)),
        ):
            if asked > there:
                return f"{what}: {asked} asked for, {there} on this machine"
        return ""


NOTHING = Resources(Decimal(0), 0)


@dataclass
class Admission:
    """The queue before the machine: first come, first served, and nobody overtakes at another's cost."""

    capacity: Capacity
    waiting: dict[str, Resources] = field(default_factory=dict)
    gangs: dict[str, str] = field(
        default_factory=dict
    )  # of those that wait, where they have one
    beside: dict[str, str] = field(
        default_factory=dict
    )  # how the keys of its run begin, of what waits for these
    running: dict[str, tuple[Resources, tuple[str, ...]]] = field(default_factory=dict)

    def ask(self, key: str, request: Resources, gang: str = "", run: str = "") -> None:
        """Queue a job; all with the same `gang` start at once, and `run` is how the keys of its run begin."""
        self.waiting[key] = request
        if gang:
            self.gangs[key] = gang
        elif run and request == NOTHING:
            self.beside[key] = run

    def hold(self, key: str, request: Resources, gpus: tuple[str, ...]) -> None:
        """Count a job that runs already (after a restart of the controller)."""
        self.running[key] = (request, gpus)

    def leave(self, key: str) -> None:
        """Take a job out, waiting or running."""
        self.waiting.pop(key, None)
        self.gangs.pop(key, None)
        self.beside.pop(key, None)
        self.running.pop(key, None)

    def admit(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        """Yield the jobs that may start now, with the GPUs they get, and count them as running.

        A job that does not fit yet reserves what is free of what it asks for, so a stream of small ones cannot starve
        it, while jobs that need other things go on.
        """
        yield from self._with_room()
        yield from self._with_their_run()

    def _with_their_run(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        for key, run in list(self.beside.items()):
            begun = any(other.startswith(run) for other in self.running)
            if begun or not any(
                other.startswith(run)
                for other in self.waiting
                if other not in self.beside
            ):
                del self.beside[key]
                self.running[key] = (self.waiting.pop(key), ())
                yield key, ()

    def _with_room(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        cpus, mem, gpus = self._free()
        for keys in self._units():
            request = total(self.waiting[key] for key in keys)
            if (
                request.cpus <= cpus
                and request.mem <= mem
                and request.gpus <= len(gpus)
            ):
                rest = gpus
                for key in keys:
                    asked = self.waiting.pop(key)
                    self.gangs.pop(key, None)
                    self.running[key] = (asked, rest[: asked.gpus])
                    yield key, rest[: asked.gpus]
                    rest = rest[asked.gpus :]
            cpus, mem, gpus = (
                cpus - request.cpus,
                mem - request.mem,
                gpus[request.gpus :],
            )
            if cpus <= 0 or mem <= 0:
                return

    def _units(self) -> list[list[str]]:
        """Return the waiting jobs in their order, those of a gang as one."""
        if not self.gangs:
            return [[key] for key in self.waiting if key not in self.beside]
        units: dict[str, list[str]] = {}
        for key in self.waiting:
            if key in self.beside:
                continue
            gang = self.gangs.get(key)
            units.setdefault(key if gang is None else f"\0{gang}", []).append(key)
        return list(units.values())

    def reason(self, key: str) -> str:
        """Say what a waiting job lacks, in the words of Kubernetes' scheduler."""
        if key in self.beside:
            return "Unschedulable: it starts with the first job of its run"
        request = total(self.waiting[each] for each in self._peers(key))
        cpus, mem, gpus = self._free()
        lacking = [
            text
            for short, text in (
                (
                    request.cpus > cpus,
                    f"cpus: {request.cpus} asked for, {max(cpus, Decimal(0))} free",
                ),
                (
                    request.mem > mem,
                    f"mem: {request.mem // 10**6} asked for, {max(mem, 0) // 10**6} free",
                ),
                (
                    request.gpus > len(gpus),
                    f"gpus: {request.gpus} asked for, {len(gpus)} free",
                ),
            )
            if short
        ]
        return f"Unschedulable: {', '.join(lacking) or 'earlier jobs come first'}"

    def _peers(self, key: str) -> Iterable[str]:
        """Return the waiting jobs that start together with one."""
        gang = self.gangs.get(key)
        return (
            (key,)
            if gang is None
            else [each for each, other in self.gangs.items() if other == gang]
        )

    def _free(self) -> tuple[Decimal, int, tuple[str, ...]]:
        used = self.running.values()
        taken = {gpu for _, gpus in used for gpu in gpus}
        return (
            self.capacity.cpus - sum((request.cpus for request, _ in used), Decimal(0)),
            self.capacity.mem - sum(request.mem for request, _ in used),
            tuple(gpu for gpu in self.capacity.gpus if gpu not in taken),
        )


def total(requests: Iterable[Resources]) -> Resources:
    """Return what several jobs ask for together."""
    several = list(requests)
    return Resources(
        sum((each.cpus for each in several), Decimal(0)),
        sum(each.mem for each in several),
        sum(each.gpus for each in several),
    )


def machine(settings: Mapping[str, str]) -> Capacity:
    """Measure this machine; RISEML_CPUS, RISEML_MEM (megabytes) and RISEML_GPUS (names, joined by commas) overrule."""
    cpus = settings.get("RISEML_CPUS") or _cores()
    mem = (
        int(float(settings["RISEML_MEM"]) * 1_000_000)
        if settings.get("RISEML_MEM")
        else _memory()
    )
    names = settings.get("RISEML_GPUS")
    gpus = (
        tuple(filter(None, names.split(","))) if names is not None else _gpus(settings)
    )
    return Capacity(Decimal(cpus), mem, gpus)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in (
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ):
        try:
            return min(total, int(Path(limit).read_text(encoding="ascii")))
        except (OSError, ValueError):
            # No such file, or "max"
            continue
    return total


def _gpus(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the GPUs that the driver shows, within CUDA_VISIBLE_DEVICES where the user has set it."""
    visible = settings.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in visible.split(",") if name and name != "-1")
    cards = (
        sorted(Path("/proc/driver/nvidia/gpus").glob("*"))
        if Path("/proc/driver/nvidia/gpus").is_dir()
        else []
    )
    return tuple(str(index) for index in range(len(cards)))
