"""Limits of control groups: the cores and bytes that this process and others share.

    /proc/self/cgroup, mountinfo ──▶ folders from the group up to the root ──▶ lowest limits

A limit counts for all groups below its own. Nothing here opens a file: `limits` gets a
function that returns the content of one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import PurePosixPath
from typing import NamedTuple

ReadFile = Callable[[str], str]
"""Returns the content of a file, empty if it cannot be read."""

# Where the files are if the tables of mounts and groups do not lead to them: in some
# containers, they describe the host.
_USUAL_FOLDERS = {
    "": ("/sys/fs/cgroup",),
    "cpu": ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"),
    "memory": ("/sys/fs/cgroup/memory",),
}
_KINDS = ("cgroup", "cgroup2")
# Fields of a line of mountinfo.
_ROOT, _POINT = 3, 4
_DEFAULT_PERIOD = "100000"
_OCTAL = re.compile(r"\\([0-7]{3})")


class GroupLimits(NamedTuple):
    """Cores and bytes; None stands for no limit."""

    cpus: Decimal | None
    mem: int | None


class _Mount(NamedTuple):
    """A hierarchy of groups: its controllers, none for version 2, and where it is mounted.

    `root` is the group that appears at `point`.
    """

    controllers: tuple[str, ...]
    root: str
    point: str


def limits(read: ReadFile) -> GroupLimits:
    """Return the lowest limits of the control groups of this process."""
    mounts = list(_mounts(read("/proc/self/mountinfo")))
    groups = _groups(read("/proc/self/cgroup"))
    files = _Files(read)
    unified = list(_folders("", mounts, groups))
    cpus = [
        *map(files.cores, unified),
        *map(files.cores_of_version_1, _folders("cpu", mounts, groups)),
    ]
    sizes = [
        *map(files.bytes, unified),
        *map(files.bytes_of_version_1, _folders("memory", mounts, groups)),
    ]
    return GroupLimits(
        min(filter(None, cpus), default=None), min(filter(None, sizes), default=None)
    )


def own_folders(read: ReadFile, controller: str) -> list[str]:
    """Return the folders of this process' group and of the groups above it, in this order.

    They are those of version 2 if `controller` is empty, and there are none if its
    hierarchy is not mounted.
    """
    groups = _groups(read("/proc/self/cgroup"))
    folders: list[str] = []
    for mount in _mounts(read("/proc/self/mountinfo")):
        if controller in mount.controllers and not folders:
            folders = list(_upwards(mount, groups.get(controller, "/")))
    return folders


class _Files:
    """The files of a group's folder."""

    def __init__(self, read: ReadFile) -> None:
        self._read = read

    def cores(self, folder: str) -> Decimal | None:
        quota, _, period = self._read(f"{folder}/cpu.max").strip().partition(" ")
        return _cores(quota, period or _DEFAULT_PERIOD)

    def cores_of_version_1(self, folder: str) -> Decimal | None:
        quota = self._read(f"{folder}/cpu.cfs_quota_us")
        return _cores(quota, self._read(f"{folder}/cpu.cfs_period_us"))

    def bytes(self, folder: str) -> int | None:
        return _number(self._read(f"{folder}/memory.max"))

    def bytes_of_version_1(self, folder: str) -> int | None:
        return _number(self._read(f"{folder}/memory.limit_in_bytes"))


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    """Yield the mounted hierarchies; proc(5) describes the format."""
    for line in mountinfo.splitlines():
        fields, _, more = line.partition(" - ")
        words = fields.split()
        kind, _, options = more.partition(" ")
        if kind not in _KINDS or len(words) <= _POINT:
            continue
        # Only version 1 has a hierarchy for each controller.
        controllers = [""]
        if kind == "cgroup":
            controllers = options.rpartition(" ")[2].split(",")
        root, point = _unescaped(words[_ROOT]), _unescaped(words[_POINT])
        yield _Mount(tuple(controllers), root, point)


def _groups(text: str) -> dict[str, str]:
    """Return the group of a process by controller; that of version 2 has an empty name."""
    groups = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        for controller in controllers.split(","):
            groups[controller] = group
    return groups


def _folders(
    controller: str, mounts: Iterable[_Mount], groups: dict[str, str]
) -> Iterator[str]:
    """Yield the folders of a process' group and of all groups above it that are visible."""
    for mount in mounts:
        if controller in mount.controllers:
            yield from _upwards(mount, groups.get(controller, "/"))
    yield from _USUAL_FOLDERS[controller]


def _upwards(mount: _Mount, group: str) -> Iterator[str]:
    point, root = PurePosixPath(mount.point), mount.root.rstrip("/")
    path = f"{group}/".removeprefix(f"{root}/")
    # Otherwise the mount shows a namespace whose root is this group, or one above it.
    is_below = f"{group}/" != path and "/../" not in f"/{path}"
    folder = point / path.strip("/") if is_below else point
    yield str(folder)
    while folder != point:
        folder = folder.parent
        yield str(folder)


def _cores(quota: str, period: str) -> Decimal | None:
    """Return how many cores a quota of processor time is, in thousandths."""
    time, interval = _number(quota), _number(period)
    if not time or not interval:
        return None
    return Decimal(time * 1000 // interval) / 1000


def _number(text: str) -> int | None:
    """Return a positive number; None for "max", "-1", and what is not there."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _unescaped(path: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), path)
