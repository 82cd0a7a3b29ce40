"""Private mounts of one job: `/code`, `/data`, `/output`, as on the cluster.

    unshare ──▶ new root (tmpfs) ──▶ bind every entry of / ──▶ bind the job's own ──▶ detach the old root

The host's root does not change. The process keeps its user, and sees the host's files
at all other paths. Mounts that the host makes later appear inside; mounts made inside
never appear outside. The namespace disappears with its last process. All of this
happens in a forked child, because a process cannot leave its namespace again.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import sys
from collections.abc import Collection, Mapping, Sequence

from riseml.engines.local.jobs.mount_calls import (
    CLONE_NEWNS,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_SLAVE,
    Layers,
    attach,
    canonical,
    check,
    libc,
    mount,
    open_layers,
    open_path,
    unshare_user,
)

Mount = tuple[bytes, bytes, bool]
"""Source, target, whether it is read-only; both absolute."""

_OLD_ROOT = b"/.riseml-old-root"
_NO_OVERLAYS: Mapping[bytes, Layers] = {}

# Of umount(2) and mount_setattr(2).
_MNT_DETACH = 2
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
# Flags of statvfs, and the flags of mount that mean the same.
_STATVFS_TO_MOUNT = {
    2: MS_NOSUID,
    4: MS_NODEV,
    8: 8,
    1024: 1024,
    2048: 2048,
    4096: 1 << 21,
}

# It contains at most one item.
_probed: list[bool] = []


def supported() -> bool:
    """Return whether this machine allows this user private mounts.

    The first call tries it in a child; later calls return the same result.
    """
    if not _probed:
        _probed.append(_probe())
    return _probed[0]


def enter(
    mounts: Sequence[Mount],
    template: Sequence[int] = (),
    overlays: Mapping[bytes, Layers] = _NO_OVERLAYS,
) -> None:
    """Move this process into a mount namespace of its own, with `mounts`.

    The working directory stays the same. `template` are namespaces of `Templates.get`.
    `overlays` are layers by target: the source of such a mount receives all changes.

    Raises:
        OSError: the machine does not allow it, a source does not exist, or a target
            cannot be made.
    """
    directory = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    path, status = os.getcwdb(), os.fstat(directory)
    if not template or not _join(mounts, overlays, template, path):
        _build(mounts, overlays, path)
    _restore_directory(path, status, directory)


class Templates:
    """Namespaces in which only the sources of a job's mounts are missing.

    A job that enters a copy of one has a third of the work. There is one template for
    each set of targets. They are discarded when the host's mounts or the entries of its
    root change.
    """

    def __init__(self) -> None:
        self._templates: dict[frozenset[bytes], tuple[int, ...]] = {}
        self._root_time = 0
        self._mount_table = select.poll()
        if sys.platform == "linux":
            # A change of this file is an event for poll(2).
            table = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            self._mount_table.register(table, select.POLLPRI)

    def get(self, mounts: Sequence[Mount], scratch: bytes) -> tuple[int, ...]:
        """Return the namespaces of a template for `enter`; empty if none is possible.

        `scratch` is any directory.
        """
        root_time = os.stat(b"/").st_mtime_ns
        if self._mount_table.poll(0) or root_time != self._root_time:
            self._root_time = root_time
            self._discard()
        targets = frozenset(target for _, target, _ in mounts)
        if targets not in self._templates:
            template: tuple[int, ...] = ()
            if all(map(_is_root_entry, targets)):
                template = _template(targets, scratch)
            self._templates[targets] = template
        return self._templates[targets]

    def _discard(self) -> None:
        for descriptors in self._templates.values():
            for descriptor in descriptors:
                os.close(descriptor)
        self._templates.clear()


def _is_root_entry(target: bytes) -> bool:
    return target.count(b"/") == 1 and target.startswith(b"/") and target != b"/"


def _build(
    mounts: Sequence[Mount], overlays: Mapping[bytes, Layers], scratch: bytes
) -> None:
    """Enter a new root with the host's entries and the job's mounts."""
    for _, target, _ in mounts:
        if target == b"/" or not target.startswith(b"/"):
            raise OSError(
                errno.EINVAL, "a job cannot have a mount there", os.fsdecode(target)
            )
    _unshare()
    # A path below the old root may be hidden later, but an open file stays usable.
    opened = []
    for source, target, read_only in mounts:
        layers = open_layers(overlays.get(target, ()))
        path = os.path.normpath(target)
        opened.append((open_path(source), path, read_only, layers))
    opened.sort(key=lambda mount: mount[1].count(b"/"))
    hidden = {target for _, target, _, _ in opened if target.count(b"/") == 1}
    _pivot(scratch)
    _populate(hidden)
    for source_file, target, read_only, layers in opened:
        top = _top(target)
        is_own = top in hidden or not os.path.lexists(_OLD_ROOT + top)
        if is_own:
            _make_target(source_file, target)
        attach(source_file, target, layers)
        if read_only:
            _protect(target)
        os.close(source_file)
    _detach_old_root()


def _join(
    mounts: Sequence[Mount],
    overlays: Mapping[bytes, Layers],
    template: Sequence[int],
    directory: bytes,
) -> bool:
    """Enter a copy of a template.

    Return False, without an effect, if a target hides a source or the directory.
    """
    sources = [canonical(source) for source, _, _ in mounts]
    outside = [*sources, directory]
    layers: dict[bytes, Layers] = {}
    for target, (options, *directories) in overlays.items():
        paths = list(map(canonical, directories))
        layers[target] = (options, *paths)
        outside += paths
    hidden = {b"/", *(target for _, target, _ in mounts)}
    if not hidden.isdisjoint(map(_top, outside)):
        return False
    for namespace in template:
        check(libc().setns(namespace, 0), "setns", b"")
    check(libc().unshare(CLONE_NEWNS), "unshare", b"")
    for source, (_, target, read_only) in zip(sources, mounts, strict=True):
        if target in layers:
            opened = open_layers(layers[target])
            source_file = open_path(source)
            attach(source_file, target, opened)
            os.close(source_file)
        else:
            mount(source, target, None, MS_BIND | MS_REC)
        if read_only:
            _protect(target)
    return True


def _template(targets: frozenset[bytes], scratch: bytes) -> tuple[int, ...]:
    """Return namespaces that a child makes, empty if it cannot make them."""
    ready_reader, ready_writer = os.pipe()
    exit_reader, exit_writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(exit_writer)
            _unshare()
            _pivot(scratch)
            _populate(targets)
            for target in targets:
                os.mkdir(target)
            _detach_old_root()
            os.write(ready_writer, b"1")
            # The namespaces exist as long as the child runs or a descriptor is open.
            os.read(exit_reader, 1)
        finally:
            os._exit(0)
    os.close(ready_writer)
    os.close(exit_reader)
    try:
        return _namespaces(pid) if os.read(ready_reader, 1) else ()
    finally:
        os.close(ready_reader)
        os.close(exit_writer)
        # `contextlib` is slow to load.
        try:  # noqa: SIM105
            os.waitpid(pid, 0)
        except ChildProcessError:
            # A signal handler has reaped it.
            pass


def _namespaces(pid: int) -> tuple[int, ...]:
    """Open the namespaces in which a process differs from this one."""
    user, mnt = f"/proc/{pid}/ns/user", f"/proc/{pid}/ns/mnt"
    paths = [mnt]
    if not os.path.samefile(user, "/proc/self/ns/user"):
        # The user namespace has to be entered first.
        paths.insert(0, user)
    return tuple(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths)


def _probe() -> bool:
    if sys.platform != "linux":
        return False
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    try:
        os.chdir("/")
        for folder in (b"/tmp", b"/var/tmp", b"/dev/shm", b"/usr"):
            if os.path.isdir(folder):
                os.chdir(folder)
                break
        enter([(os.getcwdb(), b"/riseml-probe", True)])
        is_mounted = os.path.isdir("/riseml-probe")
        is_writable = os.access("/riseml-probe", os.W_OK)
        os._exit(int(is_writable or not is_mounted))
    finally:
        os._exit(1)


def _unshare() -> None:
    """Enter a new mount namespace, within a user namespace if necessary.

    The user stays the same in such a user namespace.
    """
    if libc().unshare(CLONE_NEWNS) != 0:
        unshare_user(CLONE_NEWNS, b"")


def _pivot(scratch: bytes) -> None:
    """Make an empty file system the root, with the old root below it.

    `scratch` is any directory; the new root is mounted there for a moment.
    """
    mount(None, b"/", None, MS_SLAVE | MS_REC)
    mount(b"tmpfs", scratch, b"tmpfs", MS_NOSUID | MS_NODEV, b"mode=755")
    os.chdir(scratch)
    os.mkdir(_OLD_ROOT[1:])
    check(libc().pivot_root(b".", _OLD_ROOT[1:]), "pivot_root", scratch)
    os.chdir(b"/")


def _populate(hidden: Collection[bytes]) -> None:
    """Bind the entries of the old root, except those that the job's mounts hide."""
    for entry in os.scandir(_OLD_ROOT):
        path = b"/" + entry.name
        if path in hidden:
            continue
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), path)
            continue
        if entry.is_dir():
            os.mkdir(path)
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        mount(entry.path, path, None, MS_BIND | MS_REC)


def _detach_old_root() -> None:
    check(libc().umount2(_OLD_ROOT, _MNT_DETACH), "umount", _OLD_ROOT)
    os.rmdir(_OLD_ROOT)


def _top(path: bytes) -> bytes:
    """Return the entry of the root that a path begins with."""
    return b"/" + path.split(b"/", 2)[1]


def _make_target(source: int, target: bytes) -> None:
    """Make what an open source can be mounted on."""
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(target, exist_ok=True)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT))


def _protect(target: bytes) -> None:
    """Make a mount, and those below it, read-only."""
    attributes = struct.pack("QQQQ", MS_RDONLY, 0, 0, 0)
    result = libc().syscall(
        _SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        target,
        _AT_RECURSIVE,
        attributes,
        len(attributes),
    )
    if result == 0:
        return
    if ctypes.get_errno() != errno.ENOSYS:
        check(-1, "mount_setattr", target)
    # Linux before 5.12 does not have this call, and changes one mount at a time.
    for mount_point in _below(target):
        current_flags = os.statvfs(mount_point).f_flag
        flags = MS_REMOUNT | MS_BIND | MS_RDONLY
        # The kernel refuses to change a mount without the flags that it has already.
        for statvfs_flag, mount_flag in _STATVFS_TO_MOUNT.items():
            if current_flags & statvfs_flag:
                flags |= mount_flag
        mount(None, mount_point, None, flags)


def _below(target: bytes) -> list[bytes]:
    """Return the mount points at and below `target`."""
    mount_points = []
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            path = _unescape(line.split()[4])
            if path == target or path.startswith(target + b"/"):
                mount_points.append(path)
    return mount_points


def _unescape(field: bytes) -> bytes:
    """Return a path of mountinfo, where backslash and space are three octal digits."""
    start, *escaped = field.split(b"\\")
    decoded = [bytes([int(text[:3], 8)]) + text[3:] for text in escaped]
    return start + b"".join(decoded)


def _restore_directory(path: bytes, status: os.stat_result, directory: int) -> None:
    """Return to the working directory.

    Its open descriptor serves if the path is hidden or not writable now.
    """
    try:
        current = os.stat(path)
        is_same = (current.st_dev, current.st_ino) == (status.st_dev, status.st_ino)
        if is_same and os.access(path, os.W_OK):
            os.chdir(path)
            return
    except OSError:
        pass
    os.fchdir(directory)
