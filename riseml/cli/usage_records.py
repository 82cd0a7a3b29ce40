"""Usage of jobs as plain data, for `riseml monitor -o json`."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from riseml import phrases
from riseml.cli.documents import Document, StateName, Time
from riseml.cli.records import ResourcesRecord, resources
from riseml.readings import GpuUsage, JobUsage


class GpuUsageRecord(TypedDict):
    """A GPU of a job; null stands for what is not known."""

    id: str
    """What CUDA_VISIBLE_DEVICES accepts."""
    index: int
    name: str
    bus: str
    """The PCI address."""
    util: float | None
    """The share of the time in which it computed, from 0 to 1, for all programs."""
    mem: int | None
    """In bytes, of all programs."""
    mem_total: int | None
    """In bytes."""
    power: float | None
    """In watts."""
    power_limit: float | None
    """In watts."""
    temp: float | None
    """In degrees Celsius."""
    job_util: float | None
    """The share of the time in which it computed for this job."""
    job_mem: int | None
    """In bytes, of this job."""


class JobUsageRecord(TypedDict):
    """What a running job uses; null stands for what is not measured."""

    id: str
    project: str
    type: str
    """The role of the job, such as train or worker."""
    state: StateName
    started: Time | None
    cpu: float | None
    """In cores."""
    mem: int | None
    """In bytes; memory that processes share counts once."""
    disk_read: float | None
    """In bytes per second."""
    disk_written: float | None
    """In bytes per second."""
    net_received: float | None
    """In bytes per second."""
    net_sent: float | None
    """In bytes per second."""
    gpu_util: float | None
    """How many GPUs the job keeps busy; null without GPUs."""
    gpu_mem: int | None
    """In bytes."""
    gpu_mem_total: int | None
    """In bytes."""
    gpus: list[GpuUsageRecord]
    resources: ResourcesRecord | None
    """What the job requested."""
    note: str
    """Why something is not measured."""


class UsageRecord(TypedDict):
    """What running jobs use at one time."""

    time: Time
    jobs: list[JobUsageRecord]


DOCUMENTS = {"monitor": Document(UsageRecord)}


def record(usages: Sequence[JobUsage], time: datetime) -> UsageRecord:
    """Return what jobs use as plain data."""
    return {"time": phrases.moment(time) or "", "jobs": list(map(_job, usages))}


def _job(usage: JobUsage) -> JobUsageRecord:
    return {
        "id": usage.id,
        "project": usage.project,
        "type": usage.type,
        "state": usage.state,
        "started": phrases.moment(usage.started),
        "cpu": _rounded(usage.cpu, 3),
        "mem": usage.mem,
        "disk_read": _rounded(usage.disk_read),
        "disk_written": _rounded(usage.disk_written),
        "net_received": _rounded(usage.net_received),
        "net_sent": _rounded(usage.net_sent),
        "gpu_util": _rounded(usage.gpu_util, 3),
        "gpu_mem": usage.gpu_mem,
        "gpu_mem_total": usage.gpu_mem_total,
        "gpus": list(map(_gpu, usage.gpus)),
        "resources": resources(usage.requested) if usage.requested else None,
        "note": usage.note,
    }


def _gpu(gpu: GpuUsage) -> GpuUsageRecord:
    return {
        "id": gpu.id,
        "index": gpu.index,
        "name": gpu.name,
        "bus": gpu.bus,
        "util": gpu.util,
        "mem": gpu.mem,
        "mem_total": gpu.mem_total,
        "power": gpu.power,
        "power_limit": gpu.power_limit,
        "temp": gpu.temp,
        "job_util": gpu.job_util,
        "job_mem": gpu.job_mem,
    }


def _rounded(value: float | None, digits: int = 0) -> float | None:
    return None if value is None else round(value, digits)
