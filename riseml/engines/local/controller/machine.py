"""Queue of waiting pods, and what this machine has for them: cores, memory and GPUs.

The queue covers all runs of a home. The pods of a gang start together or not at all:
half a gang would hold resources for nothing. A TensorBoard requests nothing, so it never
delays other pods; it starts with the first other pod of its run, not hours earlier.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from riseml.engines.local.controller import cgroups
from riseml.plan import ExperimentSet, Resources

CpuSet = frozenset[int]
Amount = TypeVar("Amount", Decimal, int)
NOTHING = Resources(Decimal(0), 0)
_BYTES_PER_MB = 1_000_000
_NVIDIA_CARDS = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class Capacity:
    """The resources that all pods share: cores, bytes, and the names of the GPUs.

    GPU names are those that CUDA_VISIBLE_DEVICES accepts. `bound` is the phrase that
    precedes the number of cores in messages.
    """

    cpus: Decimal
    mem: int
    gpus: tuple[str, ...] = ()
    bound: str = "this machine has"

    def lacks(self, request: Resources) -> str:
        """Explain why a request can never fit; return an empty text if it can."""
        return "; ".join(self._lacks(request))

    def _lacks(self, request: Resources) -> Iterator[str]:
        if request.cpus > self.cpus:
            yield f"cpus: {request.cpus} requested, {self.bound} {self.cpus}"
        if request.mem > self.mem:
            # Rounded apart, so that the numbers differ however close they are.
            requested_mb = math.ceil(request.mem / _BYTES_PER_MB)
            installed_mb = self.mem // _BYTES_PER_MB
            yield f"mem: {requested_mb} requested, this machine has {installed_mb}"
        if request.gpus > len(self.gpus):
            yield f"gpus: {request.gpus} requested, this machine has {len(self.gpus)}"

    def fits(self, request: Resources) -> bool:
        """Return whether a request fits into these resources now."""
        return (
            request.cpus <= self.cpus
            and request.mem <= self.mem
            and request.gpus <= len(self.gpus)
        )

    def minus(self, request: Resources) -> "Capacity":
        """Return what remains after a request; cores and memory may go below zero."""
        return Capacity(
            self.cpus - request.cpus, self.mem - request.mem, self.gpus[request.gpus :]
        )


class ReservedCores:
    """Cores that restricted pods request, by the CPUs that they may use."""

    def __init__(self) -> None:
        self._cores: dict[CpuSet, Decimal] = {}

    def free(self, cpus: CpuSet) -> Decimal:
        """Return how many cores of some CPUs no pod requests that is restricted to them."""
        cores = Decimal(len(cpus))
        for other, reserved in self._cores.items():
            if other <= cpus:
                cores -= reserved
        return cores

    def take(self, cpus: CpuSet, cores: Decimal) -> bool:
        """Reserve cores; return whether they are free, or any CPUs may be used."""
        if not cpus:
            return True
        is_free = cores <= self.free(cpus)
        self._cores[cpus] = self._cores.get(cpus, Decimal(0)) + cores
        return is_free


@dataclass(frozen=True)
class Admission:
    """A pod that may start now, and the GPUs that it gets."""

    key: str
    gpus: tuple[str, ...]


@dataclass
class MachineQueue:
    """The pods that wait for this machine and those that run on it: first come, first served.

    A pod never overtakes another one that it would delay. `companions` are waiting pods
    that request nothing; each maps to the prefix that the keys of its run share. `cpus`
    are those of pods whose command may not use all CPUs of the machine.
    """

    capacity: Capacity
    waiting: dict[str, Resources] = field(default_factory=dict)
    gangs: dict[str, str] = field(default_factory=dict)
    companions: dict[str, str] = field(default_factory=dict)
    running: dict[str, tuple[Resources, tuple[str, ...]]] = field(default_factory=dict)
    cpus: dict[str, CpuSet] = field(default_factory=dict)

    def capacity_for(self, cpus: CpuSet) -> Capacity:
        """Return what pods may use that are restricted to some CPUs, or to none."""
        if not cpus:
            return self.capacity
        if len(cpus) >= self.capacity.cpus:
            return self.capacity
        bound = "the CPU affinity of this command allows"
        return replace(self.capacity, cpus=Decimal(len(cpus)), bound=bound)

    def add(
        self,
        key: str,
        request: Resources,
        gang: str = "",
        run_prefix: str = "",
        cpus: CpuSet = frozenset(),
    ) -> None:
        """Queue a pod; all pods with the same `gang` start together."""
        self.waiting[key] = request
        if cpus:
            self.cpus[key] = cpus
        if gang:
            self.gangs[key] = gang
        elif run_prefix and request == NOTHING:
            self.companions[key] = run_prefix

    def add_running(
        self,
        key: str,
        request: Resources,
        gpus: tuple[str, ...],
        cpus: CpuSet = frozenset(),
    ) -> None:
        """Count a pod that an earlier controller has started."""
        self.running[key] = (request, gpus)
        if cpus:
            self.cpus[key] = cpus

    def remove(self, key: str) -> None:
        """Forget a pod, waiting or running, and free its resources."""
        self.waiting.pop(key, None)
        self.gangs.pop(key, None)
        self.companions.pop(key, None)
        self.running.pop(key, None)
        self.cpus.pop(key, None)

    def prefer(self, keys: Sequence[str]) -> None:
        """Let pods that wait come before all others, in this order."""
        first = {key: self.waiting.pop(key) for key in keys}
        self.waiting = {**first, **self.waiting}

    def admit(self) -> Iterator[Admission]:
        """Yield the pods that may start now, and count them as running.

        A pod that does not fit yet reserves the free part of its request. A stream of
        small pods cannot starve it, and pods that need other resources still start.
        """
        yield from self._admit_units()
        yield from self._admit_companions()

    def reason(self, key: str) -> str:
        """Explain what a waiting pod lacks."""
        if key in self.companions:
            return "waiting: it starts with the first job of its run"
        request = total(self.waiting[peer] for peer in self._peers(key))
        cpus = self.cpus.get(key, frozenset())
        free = self._free()
        if cpus:
            free = replace(free, cpus=min(free.cpus, self._reserved().free(cpus)))
        shortages = "; ".join(_shortages(request, free))
        return f"waiting: {shortages or 'earlier jobs come first'}"

    def _admit_units(self) -> Iterator[Admission]:
        free = self._free()
        reserved = self._reserved()
        for keys in self._units():
            request = total(self.waiting[key] for key in keys)
            cpus = self.cpus.get(keys[0], frozenset())
            # Otherwise it waits only for pods on the same CPUs, and delays no others.
            if not reserved.take(cpus, request.cpus):
                continue
            if free.fits(request):
                yield from self._start(keys, free.gpus)
            free = free.minus(request)
            if free.cpus <= 0 or free.mem <= 0:
                return

    def _start(
        self, keys: Sequence[str], free_gpus: tuple[str, ...]
    ) -> Iterator[Admission]:
        for key in keys:
            request = self.waiting.pop(key)
            self.gangs.pop(key, None)
            gpus, free_gpus = free_gpus[: request.gpus], free_gpus[request.gpus :]
            self.running[key] = (request, gpus)
            yield Admission(key, gpus)

    def _admit_companions(self) -> Iterator[Admission]:
        for key, prefix in list(self.companions.items()):
            has_started = any(pod.startswith(prefix) for pod in self.running)
            # If nothing else of the run waits, no other pod will ever bring it along.
            if has_started or not self._awaits_others(prefix):
                del self.companions[key]
                self.running[key] = (self.waiting.pop(key), ())
                yield Admission(key, ())

    def _awaits_others(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self._jobs())

    def _jobs(self) -> list[str]:
        """Return the waiting pods that are not companions, in order."""
        return [key for key in self.waiting if key not in self.companions]

    def _units(self) -> list[list[str]]:
        """Return the waiting pods in order, the pods of a gang as one unit."""
        if not self.gangs:
            return [[key] for key in self._jobs()]
        units: dict[tuple[str, str], list[str]] = {}
        for key in self._jobs():
            gang = self.gangs.get(key)
            unit = ("pod", key) if gang is None else ("gang", gang)
            units.setdefault(unit, []).append(key)
        return list(units.values())

    def _peers(self, key: str) -> Iterable[str]:
        """Return the waiting pods that start together with this one, itself included."""
        gang = self.gangs.get(key)
        if gang is None:
            return (key,)
        return [peer for peer, peer_gang in self.gangs.items() if peer_gang == gang]

    def _reserved(self) -> "ReservedCores":
        reserved = ReservedCores()
        for key, cpus in self.cpus.items():
            if key in self.running:
                request, _ = self.running[key]
                reserved.take(cpus, request.cpus)
        return reserved

    def _free(self) -> Capacity:
        cpus, mem = self.capacity.cpus, self.capacity.mem
        used_gpus: set[str] = set()
        for request, gpus in self.running.values():
            cpus -= request.cpus
            mem -= request.mem
            used_gpus.update(gpus)
        free_gpus = tuple(gpu for gpu in self.capacity.gpus if gpu not in used_gpus)
        return Capacity(cpus, mem, free_gpus)


def total(requests: Iterable[Resources]) -> Resources:
    """Return what several pods request together."""
    cpus, mem, gpus = Decimal(0), 0, 0
    for request in requests:
        cpus += request.cpus
        mem += request.mem
        gpus += request.gpus
    return Resources(cpus, mem, gpus)


def measure_machine(settings: Mapping[str, str]) -> Capacity:
    """Return what this machine has for this process, unless the settings override it.

    That is no more than its CPU affinity and its control groups allow.
    RISEML_CPUS, RISEML_MEM (megabytes) and RISEML_GPUS (names, separated by commas)
    take precedence.
    """
    group = cgroups.limits(_read)
    cpus = Decimal(settings.get("RISEML_CPUS") or _lower(_cores(), group.cpus))
    mem_mb = settings.get("RISEML_MEM")
    mem = _lower(_memory(), group.mem)
    if mem_mb:
        mem = int(float(mem_mb) * _BYTES_PER_MB)
    names = settings.get("RISEML_GPUS")
    if names is None:
        return Capacity(cpus, mem, _gpus(settings))
    return Capacity(cpus, mem, tuple(filter(None, names.split(","))))


def shortage(plan: ExperimentSet, settings: Mapping[str, str]) -> str:
    """Explain why this machine can never run an experiment of a plan; "" if it can."""
    requests = []
    for job in plan.jobs:
        requests += [job.resources] * job.count
    return measure_machine(settings).lacks(total(requests))


def _shortages(request: Resources, free: Capacity) -> Iterator[str]:
    if request.cpus > free.cpus:
        free_cores = max(free.cpus, Decimal(0))
        yield f"{_counted(request.cpus, 'cpu')} needed, {_plain(free_cores)} free"
    if request.mem > free.mem:
        free_mb = max(free.mem, 0) // _BYTES_PER_MB
        yield f"{math.ceil(request.mem / _BYTES_PER_MB)} MB needed, {free_mb} MB free"
    if request.gpus > len(free.gpus):
        yield f"{_counted(Decimal(request.gpus), 'gpu')} needed, {len(free.gpus)} free"


def _counted(amount: Decimal, noun: str) -> str:
    return f"{_plain(amount)} {noun}{'' if amount == 1 else 's'}"


def _plain(amount: Decimal) -> str:
    """Return a number without zeros at its end: `2`, not `2.0`."""
    return f"{amount.normalize():f}"


def _cores() -> Decimal:
    if hasattr(os, "sched_getaffinity"):
        return Decimal(len(os.sched_getaffinity(0)))
    return Decimal(os.cpu_count() or 1)


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _lower(installed: Amount, limit: Amount | None) -> Amount:
    return installed if limit is None else min(installed, limit)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _gpus(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the GPUs of the driver, limited to CUDA_VISIBLE_DEVICES if that is set."""
    visible = settings.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in visible.split(",") if name not in ("", "-1"))
    if not _NVIDIA_CARDS.is_dir():
        return ()
    count = len(list(_NVIDIA_CARDS.iterdir()))
    return tuple(map(str, range(count)))
