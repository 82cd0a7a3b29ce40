"""Limits of jobs with `resources.enforce`: what a job requests is all that it may use.

    control groups   memory and processor time of all processes of the job together
    otherwise        RLIMIT_DATA for each process, and a choice of CPUs

What holds for a pod is in the file `limits` of its folder, so that a later controller
knows it. `<log>.limit` tells `riseml why` of the limit that a pod failed at.
"""

import json
import math
import os
import re
from collections import Counter
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.dataclass import dataclass, field, replace
from riseml.engines.local.controller import job_groups
from riseml.engines.local.controller.log import logger
from riseml.engines.local.jobs.attendant import OUT_OF_MEMORY
from riseml.engines.local.jobs.launcher import Exit, ProcessSpec
from riseml.engines.local.jobs.pod import Pod
from riseml.engines.local.jobs.pod_resources import resources
from riseml.engines.local.jobs.pod_to_process import annotation
from riseml.plan import Resources

NOTE = (
    "resources.enforce: this machine gives RiseML no control groups. So `mem` limits what each process of a job"
    " can allocate (RLIMIT_DATA), not what its processes use together, and no job with GPUs; a job"
    " has whole CPUs. `riseml doctor` says more"
)
_FILE = "limits"
# What programs print that cannot allocate memory.
_COMPLAINT = re.compile(
    rb"MemoryError|bad_alloc|[Cc]annot allocate memory|[Uu]nable to allocate|out of memory"
    rb"|not enough memory|ENOMEM|can't start new thread"
)

# Nothing moves a controller to another group while it runs.
parents = cache(job_groups.find)


@dataclass
class JobLimits:
    """Limits of the pods of a home.

    `cpus` are those that each pod was given, and `remaining` the groups of ended pods that
    the kernel has not let go yet.
    """

    cpus: dict[str, frozenset[int]] = field(default_factory=dict)
    remaining: list[Path] = field(default_factory=list)

    def limited(self, spec: ProcessSpec, pod: Pod) -> ProcessSpec:
        """Return a job that may use no more than it requests, if its run asks for that.

        Raises:
            OSError: the system refuses its control group, or the disk is full.
        """
        if annotation(pod.action.template, labels.ENFORCED) != "true":
            return spec
        request = resources(pod.action.template)
        folders = parents()
        groups: tuple[Path, ...] = ()
        if folders:
            name = pod.key.replace(":", ".")
            groups = folders.make(name, request.mem, request.cpus)
        is_each = not groups and not request.gpus
        record = {
            "groups": list(map(str, groups)),
            "mem": request.mem,
            "each": is_each,
        }
        (pod.directory / _FILE).write_text(json.dumps(record), encoding="utf-8")
        spec = replace(
            spec,
            groups=tuple(map(str, groups)),
            data_limit=request.mem if is_each else 0,
        )
        if folders and folders.cpu:
            return spec
        return self._on_some_cpus(spec, pod, request)

    def release(self, pod: Pod) -> None:
        """Remove the groups of a pod that has ended, and let others use its CPUs."""
        self.cpus.pop(pod.key, None)
        groups = _groups(pod.directory)
        if groups or self.remaining:
            self.remaining = job_groups.remove([*self.remaining, *groups])

    def _on_some_cpus(
        self, spec: ProcessSpec, pod: Pod, request: Resources
    ) -> ProcessSpec:
        """Return a job that runs on as many CPUs as it requests cores."""
        if not hasattr(os, "sched_getaffinity"):
            return spec
        allowed = spec.attributes.get("cpus") or os.sched_getaffinity(0)
        uses = Counter(chain.from_iterable(self.cpus.values()))
        by_use = sorted(allowed, key=lambda cpu: (uses[cpu], cpu))
        count = math.ceil(request.cpus)
        chosen = sorted(by_use[:count])
        self.cpus[pod.key] = frozenset(chosen)
        return replace(spec, attributes={**spec.attributes, "cpus": chosen})


def is_out_of_memory(pod: Pod, exit_: Exit) -> bool:
    """Return whether a pod failed because the kernel killed one of its processes for want of memory."""
    if exit_.status == 0:
        return False
    is_container = (pod.directory / OUT_OF_MEMORY).exists()
    return is_container or any(map(job_groups.oom_kills, _groups(pod.directory)))


def record_failure(pod: Pod, log: bytes) -> None:
    """Record the memory limit at which a pod seems to have failed, if it has one.

    `log` is the end of what it has written.
    """
    limits = _read(pod.directory)
    if not limits:
        return
    groups = _groups(pod.directory)
    is_killed = any(map(job_groups.oom_kills, groups))
    is_refused = limits["each"] and _COMPLAINT.search(log)
    if not (is_killed or is_refused):
        return
    record = {
        "limit": limits["mem"],
        "is_group": bool(groups),
        "peak": job_groups.peak(groups[0]) if groups else None,
    }
    try:
        limit_file(pod.log).write_text(json.dumps(record), encoding="ascii")
    except OSError as error:
        logger.warning("cannot record the limit of %s: %s", pod.node, error)


def limit_file(log: Path) -> Path:
    """Return the file that describes the limit of a pod beside its log."""
    return log.with_name(f"{log.name}.limit")


def remove_groups(directory: Path) -> None:
    """Remove the groups that the pod of a folder had, if any."""
    job_groups.remove(_groups(directory))


def _groups(directory: Path) -> tuple[Path, ...]:
    return tuple(map(Path, _read(directory).get("groups", ())))


def _read(directory: Path) -> dict[str, Any]:
    """Return what `limited` recorded, empty for a pod without limits."""
    with suppress(OSError, ValueError):
        text = (directory / _FILE).read_text(encoding="utf-8")
        record: dict[str, Any] = json.loads(text)
        return record
    return {}
