"""Programs of others on GPUs: what keeps a GPU from being given to a job.

    usage.processes, usage.readings ──▶ Holder per GPU that is in use

A program that only draws on a screen does not count while all of them together hold at
most a quarter of the memory: a laptop whose only card also shows the desktop can run
jobs. NVIDIA's server of shared contexts (MPS) does not count either, but its clients do.

In a container, no process may be listed although memory is in use. Then the memory is
what counts: more than 512 MiB. It is more than a quarter where programs that draw are
never listed: on WSL2, with nvidia-smi instead of NVML, and on AMD's cards.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from pathlib import Path

from riseml.dataclass import dataclass
from riseml.gpus import nvml
from riseml.gpus.gpu import IN_USE, NVIDIA, Gpu
from riseml.gpus.records import GpuProcess, Reading
from riseml.gpus.system import DriverError, System
from riseml.gpus.usage import processes, readings

_DESKTOP_SHARE = 0.25
_UNLISTED_BYTES = 512 << 20
_WSL_DEVICE = "dev/dxg"
_MPS_SERVER = "nvidia-cuda-mps"
_BYTES_PER_MB = 1_000_000
_ROUNDED_FROM = 1000
_is_graphics = attrgetter("is_graphics")
_mem_of = attrgetter("mem")


@dataclass(frozen=True)
class Holder:
    """The program that holds most of a GPU's memory, and the number of further ones.

    `pid` is 0 if it is unknown, `name` and `user` are then empty; they are empty as well
    if the process is gone or belongs to another container. `mem` is in bytes, None if unknown.
    """

    gpu: Gpu
    pid: int = 0
    name: str = ""
    user: str = ""
    mem: int | None = None
    others: int = 0

    def __str__(self) -> str:
        """Return a phrase such as `GPU 0 is in use by python (pid 7, user ida, 900 MB)`."""
        program = self.name or "a program that cannot be seen from here"
        details = [_labelled("pid", self.pid), _labelled("user", self.user)]
        if self.mem is not None:
            details.append(f"{_rounded(self.mem // _BYTES_PER_MB)} MB")
        text = ", ".join(filter(None, details))
        more = f" and {self.others} more" if self.others else ""
        return f"{_name_of(self.gpu)} {IN_USE} {program} ({text}){more}"


@dataclass(frozen=True)
class Survey:
    """A look at some GPUs; `is_own` says of a pid whether it belongs to a job.

    `assigned` are the ids of GPUs that jobs have now. In a container, the pids of their
    processes may be those of another namespace.
    """

    gpus: Sequence[Gpu]
    is_own: Callable[[int], bool]
    assigned: Collection[str] = ()
    path: str = ""
    root: Path = Path("/")

    def holders(self) -> dict[str, Holder]:
        """Return the holder of each GPU that others use, by the id of the GPU."""
        listed: dict[str, list[GpuProcess]] = defaultdict(list)
        for process in processes(self.gpus, self.path, self.root):
            listed[process.gpu].append(process)
        by_gpu = {}
        for reading in readings(self.gpus, self.path, self.root):
            by_gpu[reading.gpu] = reading
        holders = {}
        for gpu in self.gpus:
            reading = by_gpu.get(gpu.id, Reading(gpu.id))
            holder = self._holder(gpu, listed[gpu.id], reading)
            if holder is not None:
                holders[gpu.id] = holder
        return holders

    def _holder(
        self, gpu: Gpu, listed: list[GpuProcess], reading: Reading
    ) -> Holder | None:
        foreign = list(filter(self._is_foreign, listed))
        computing = list(itertools.filterfalse(_is_graphics, foreign))
        drawing_mem = _sum(foreign) - _sum(computing)
        total = reading.mem_total or gpu.mem
        if total and drawing_mem > total * _DESKTOP_SHARE:
            return self._describe(gpu, foreign)
        if computing:
            return self._describe(gpu, computing)
        return self._unlisted(gpu, listed, reading)

    def _is_foreign(self, process: GpuProcess) -> bool:
        if not (self.root / f"proc/{process.pid}").exists():
            # On a GPU with a job, it is probably the job's, with the pid that it has
            # outside this container.
            return process.gpu not in self.assigned
        if self._name(process.pid).startswith(_MPS_SERVER):
            return False
        return not self.is_own(process.pid)

    def _describe(self, gpu: Gpu, foreign: list[GpuProcess]) -> Holder:
        largest = max(foreign, key=_known_mem)
        return Holder(
            gpu=gpu,
            pid=largest.pid,
            name=self._name(largest.pid),
            user=self._user(largest.pid),
            mem=largest.mem,
            others=len(foreign) - 1,
        )

    def _unlisted(
        self, gpu: Gpu, listed: list[GpuProcess], reading: Reading
    ) -> Holder | None:
        """Return the holder of memory that no listed process has."""
        # What some process holds may be unknown.
        if gpu.id in self.assigned or None in map(_mem_of, listed):
            return None
        # The system may keep anything in memory that it manages itself (GH200).
        if "online" in self._read(f"proc/driver/nvidia/gpus/{gpu.bus}/numa_status"):
            return None
        limit: float = _UNLISTED_BYTES
        if not self._lists_desktops(gpu):
            total = reading.mem_total or gpu.mem
            limit = max(limit, total * _DESKTOP_SHARE)
        mem = (reading.mem_used or 0) - _sum(listed)
        return Holder(gpu, mem=mem) if mem > limit else None

    def _lists_desktops(self, gpu: Gpu) -> bool:
        """Return whether programs that draw are among the listed processes."""
        if gpu.vendor != NVIDIA or (self.root / _WSL_DEVICE).exists():
            return False
        try:
            with nvml.opened():
                return True
        except DriverError:
            return False

    def _name(self, pid: int) -> str:
        return self._read(f"proc/{pid}/comm")

    def _read(self, name: str) -> str:
        return System(self.root).read(name)

    def _user(self, pid: int) -> str:
        # Few checks find a foreign process.
        import pwd  # noqa: PLC0415

        try:
            uid = (self.root / f"proc/{pid}").stat().st_uid
            return pwd.getpwuid(uid).pw_name
        except OSError:
            return ""
        except KeyError:
            return str(uid)


def _name_of(gpu: Gpu) -> str:
    card = f"GPU {gpu.index}"
    return f"{gpu.id} of {card}" if gpu.is_slice else card


def _labelled(label: str, value: object) -> str:
    return f"{label} {value}" if value else ""


def _rounded(number: int) -> int:
    """Return a number that small changes leave as it is; a message changes with it."""
    return number if number < _ROUNDED_FROM else round(number, -2)


def _known_mem(process: GpuProcess) -> int:
    return process.mem or 0


def _sum(listed: Sequence[GpuProcess]) -> int:
    return sum(map(_known_mem, listed))
