"""Limits of control groups: the cores and bytes that this process and others share.

    /proc/self/cgroup, mountinfo ──▶ folders from the group up to the root ──▶ lowest limits

A limit counts for all groups below its own. Nothing here opens a file: `limits` gets a
function that returns the content of one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
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
    cpus, sizes = [], []
    for folder in _folders("", mounts, groups):
        cpus.append(_cores(*_split_pair(read(f"{folder}/cpu.max"))))
        sizes.append(_number(read(f"{folder}/memory.max")))
    for folder in _folders("cpu", mounts, groups):
        quota = read(f"{folder}/cpu.cfs_quota_us")
        cpus.append(_cores(quota, read(f"{folder}/cpu.cfs_period_us")))
    for folder in _folders("memory", mounts, groups):
        sizes.append(_number(read(f"{folder}/memory.limit_in_bytes")))
    return GroupLimits(
        min((value for value in cpus if value is not None), default=None),
        min((value for value in sizes if value is not None), default=None),
    )


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
    root = mount.root.rstrip("/")
    is_below = group == root or group.startswith(f"{root}/")
    # Otherwise the mount shows a namespace whose root is this group, or one above it.
    names = group.removeprefix(root).split("/") if is_below else []
    if ".." in names:
        names = []
    names = list(filter(None, names))
    for count in range(len(names), -1, -1):
        yield "/".join((mount.point.rstrip("/"), *names[:count]))


def _split_pair(text: str) -> tuple[str, str]:
    quota, _, period = text.strip().partition(" ")
    return quota, period or _DEFAULT_PERIOD


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
