"""What this machine has for pods: cores, memory and GPUs."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from riseml.dataclass import dataclass, replace
from riseml.engines.local.controller import cgroups, gpu_placement
from riseml.gpus import Gpu
from riseml.plan import ExperimentSet, Resources
from riseml.quantities import number_text

Amount = TypeVar("Amount", Decimal, int)
_BYTES_PER_MB = 1_000_000


@dataclass(frozen=True)
class Capacity:
    """The resources that all pods share: cores, bytes and GPUs.

    `bound` is the phrase that precedes the number of cores in messages. `gpu_limits`
    names the variables that hide GPUs.
    """

    cpus: Decimal
    mem: int
    gpus: tuple[Gpu, ...] = ()
    bound: str = "this machine has"
    gpu_limits: str = ""

    def lacks(self, *requests: Resources) -> str:
        """Explain why some requests can never fit at once; return "" if they can."""
        shortages = list(self._lacks(total(requests)))
        gpu_shortage = gpu_placement.lacks(requests, self.gpus)
        if gpu_shortage and self.gpu_limits:
            gpu_shortage += f" with {self.gpu_limits}"
        shortages.append(gpu_shortage)
        return "; ".join(filter(None, shortages))

    def _lacks(self, request: Resources) -> Iterator[str]:
        if request.cpus > self.cpus:
            yield f"cpus: {request.cpus} requested, {self.bound} {self.cpus}"
        if request.mem > self.mem:
            # Rounded apart, so that the numbers differ however close they are.
            requested_mb = math.ceil(request.mem / _BYTES_PER_MB)
            installed_mb = self.mem // _BYTES_PER_MB
            yield f"mem: {requested_mb} requested, this machine has {installed_mb}"

    def shortages(self, request: Resources) -> Iterator[str]:
        """Yield which cores and memory of a request are not free."""
        if request.cpus > self.cpus:
            free_cores = max(self.cpus, Decimal(0))
            yield f"{_counted(request.cpus, 'cpu')} needed, {number_text(free_cores)} free"
        if request.mem > self.mem:
            needed_mb = math.ceil(request.mem / _BYTES_PER_MB)
            free_mb = max(self.mem, 0) // _BYTES_PER_MB
            yield f"{needed_mb} MB needed, {free_mb} MB free"

    def fits(self, request: Resources) -> bool:
        """Return whether the cores and memory of a request are free now."""
        return request.cpus <= self.cpus and request.mem <= self.mem

    def minus(self, request: Resources) -> "Capacity":
        """Return what remains after a request; cores and memory may go below zero."""
        cpus, mem = self.cpus - request.cpus, self.mem - request.mem
        return replace(self, cpus=cpus, mem=mem)


def total(requests: Iterable[Resources]) -> Resources:
    """Return the cores and memory that several pods request together."""
    cpus, mem = Decimal(0), 0
    for request in requests:
        cpus += request.cpus
        mem += request.mem
    return Resources(cpus, mem)


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
    gpus, gpu_limits = _gpus(settings)
    return Capacity(cpus, mem, gpus, gpu_limits=gpu_limits)


def shortage(plan: ExperimentSet, settings: Mapping[str, str]) -> str:
    """Explain why this machine can never run an experiment of a plan; "" if it can."""
    requests = []
    for job in plan.jobs:
        requests += [job.resources] * job.count
    return measure_machine(settings).lacks(*requests)


def _counted(amount: Decimal, noun: str) -> str:
    return f"{number_text(amount)} {noun}{'' if amount == 1 else 's'}"


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


def _gpus(settings: Mapping[str, str]) -> tuple[tuple[Gpu, ...], str]:
    """Return the GPUs, and which variables hide others."""
    # What reads tables of drivers takes time to load.
    from riseml.gpus.detection import examine  # noqa: PLC0415

    detection = examine(settings)
    return detection.gpus, detection.limits
