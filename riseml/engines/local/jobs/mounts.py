"""Private mounts for one job: `/code`, `/data`, `/output` as on the cluster; the host's root is not touched.

    unshare ──▶ new root (tmpfs) ──▶ bind every entry of / ──▶ bind the job's own ──▶ forget the old root

The process keeps its user, and sees the same files everywhere else. What the host mounts later appears inside; nothing
goes the other way. It is gone with its last process. Used in a forked child: there is no way back.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import sys
from collections.abc import Collection, Sequence

Mount = tuple[bytes, bytes, bool]
"""Source, target, whether it is read-only; both absolute."""

_OLD = b"/.riseml-old-root"
_NEWNS, _NEWUSER = 0x20000, 0x10000000
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _SLAVE = (
    1,
    2,
    4,
    32,
    4096,
    16384,
    1 << 19,
)
_DETACH = 2
_KEPT = {
    2: _NOSUID,
    4: _NODEV,
    8: 8,
    1024: 1024,
    2048: 2048,
    4096: 1 << 21,
}  # statvfs' bits ──▶ those of mount
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_probed: list[bool] = []
_loaded: list[ctypes.CDLL] = []


def supported() -> bool:
    """Whether this machine lets this user have private mounts; found out once, in a child."""
    if not _probed:
        _probed.append(_probe())
    return _probed[0]


def enter(mounts: Sequence[Mount], template: Sequence[int] = ()) -> None:
    """Move this process into a mount namespace of its own, with `mounts`; the working directory stays.

    Raises:
        OSError: the machine does not allow it, a source does not exist, or a target cannot be made.
    """
    here = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    path, status = os.getcwdb(), os.fstat(here)
    if not template or not _join(mounts, template, path):
        _build(mounts, path)
    _return(path, status, here)


class Templates:
    """Namespaces where only the sources of a job are missing: a job that enters a copy of one has a third of the work.

    There is one for each set of targets. They are made anew when the host's mounts or the entries of its root change.
    """

    def __init__(self) -> None:
        self._made: dict[frozenset[bytes], tuple[int, ...]] = {}
        self._root = 0
        self._table = select.poll()
        # Where a change of the table is an event
        if sys.platform == "linux":
            self._table.register(
                os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC),
                select.POLLPRI,
            )

    def get(self, mounts: Sequence[Mount], scratch: bytes) -> tuple[int, ...]:
        """Return the namespaces of a template for `enter`; () where there can be none."""
        root = os.stat(b"/").st_mtime_ns
        if self._table.poll(0) or root != self._root:
            self._root = root
            for descriptor in sum(self._made.values(), ()):
                os.close(descriptor)
            self._made.clear()
        targets = frozenset(target for _, target, _ in mounts)
        if targets not in self._made:
            simple = all(
                target.count(b"/") == 1 and target[:1] == b"/" != target
                for target in targets
            )
            self._made[targets] = _template(targets, scratch) if simple else ()
        return self._made[targets]


def _build(mounts: Sequence[Mount], scratch: bytes) -> None:
    """Enter a new root with everything that belongs there; `scratch` is any directory."""
    for _, target, _ in mounts:
        if target == b"/" or not target.startswith(b"/"):
            raise OSError(
                errno.EINVAL, "a job cannot have a mount there", os.fsdecode(target)
            )
    _unshare()
    wanted = [
        (_opened(source), os.path.normpath(target), ro) for source, target, ro in mounts
    ]
    hidden = {target for _, target, _ in wanted if target.count(b"/") == 1}
    _pivot(scratch)
    _populate(hidden)
    for source, target, read_only in sorted(
        wanted, key=lambda mount: mount[1].count(b"/")
    ):
        top = _top(target)
        _bind(source, target, ours=top in hidden or not os.path.lexists(_OLD + top))
        if read_only:
            _protect(target)
        os.close(source)
    _forget()


def _join(mounts: Sequence[Mount], template: Sequence[int], directory: bytes) -> bool:
    """Enter a copy of a template; False, with nothing done, if the targets hide a source or the directory."""
    hidden = {target for _, target, _ in mounts}
    sources = [_canonical(source) for source, _, _ in mounts]
    if any(_top(path) in hidden or path == b"/" for path in (*sources, directory)):
        return False
    for namespace in template:
        _check(libc().setns(namespace, 0), "setns", b"")
    _check(libc().unshare(_NEWNS), "unshare", b"")
    for source, (_, target, read_only) in zip(sources, mounts, strict=True):
        _mount(source, target, None, _BIND | _REC)
        if read_only:
            _protect(target)
    return True


def _template(targets: frozenset[bytes], scratch: bytes) -> tuple[int, ...]:
    """Let a child make namespaces, and keep them after it; () if it could not."""
    (ready, done), (wait, go) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(go)
            _unshare()
            _pivot(scratch)
            _populate(targets)
            for target in targets:
                os.mkdir(target)
            _forget()
            os.write(done, b"1")
            os.read(wait, 1)
        finally:
            os._exit(0)
    os.close(done)
    os.close(wait)
    try:
        return _namespaces(pid) if os.read(ready, 1) else ()
    finally:
        os.close(ready)
        os.close(go)
        try:  # noqa: SIM105
            # Contextlib is slow to load
            os.waitpid(pid, 0)
        except ChildProcessError:
            # Reaped by a handler
            pass


def _namespaces(pid: int) -> tuple[int, ...]:
    """Open the namespaces in which a process differs from this one."""
    user, mnt = (f"/proc/{pid}/ns/{kind}" for kind in ("user", "mnt"))
    wanted = [mnt] if os.path.samefile(user, "/proc/self/ns/user") else [user, mnt]
    return tuple(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in wanted)


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
        os._exit(
            0
            if os.path.isdir("/riseml-probe")
            and not os.access("/riseml-probe", os.W_OK)
            else 1
        )
    finally:
        os._exit(1)


def _unshare() -> None:
    """Get a mount namespace; a user without the right to one gets it with a user namespace, as the same user."""
    uid, gid = os.geteuid(), os.getegid()
    if libc().unshare(_NEWNS) == 0:
        return
    _check(libc().unshare(_NEWNS | _NEWUSER), "unshare", b"")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(file, text.encode())
        os.close(file)


def _pivot(scratch: bytes) -> None:
    """Make an empty file system the root, with the old one below it. It comes to lie on `scratch` for a moment."""
    _mount(None, b"/", None, _SLAVE | _REC)
    _mount(b"tmpfs", scratch, b"tmpfs", _NOSUID | _NODEV, b"mode=755")
    os.chdir(scratch)
    os.mkdir(_OLD[1:])
    _check(libc().pivot_root(b".", _OLD[1:]), "pivot_root", scratch)
    os.chdir(b"/")


def _populate(hidden: Collection[bytes]) -> None:
    """Show what the old root holds, but for entries that the job's own mounts hide."""
    for entry in os.scandir(_OLD):
        place = b"/" + entry.name
        if place in hidden:
            continue
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)
            continue
        if entry.is_dir():
            os.mkdir(place)
        else:
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT))
        _mount(entry.path, place, None, _BIND | _REC)


def _forget() -> None:
    """Take the old root away."""
    _check(libc().umount2(_OLD, _DETACH), "umount", _OLD)
    os.rmdir(_OLD)


def _opened(source: bytes) -> int:
    """Open a source before its path can be hidden."""
    return os.open(source, os.O_PATH | os.O_CLOEXEC)


def _canonical(source: bytes) -> bytes:
    """Return a path without symbolic links."""
    file = _opened(source)
    try:
        return os.readlink(b"/proc/self/fd/%d" % file)
    finally:
        os.close(file)


def _top(path: bytes) -> bytes:
    return b"/" + path.split(b"/", 2)[1]


def _bind(source: int, target: bytes, *, ours: bool) -> None:
    """Mount an open source; where the place is the job's own and not the host's, its mount point is made first."""
    if ours and stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(target, exist_ok=True)
    elif ours:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT))
    _mount(b"/proc/self/fd/%d" % source, target, None, _BIND | _REC)


def _protect(target: bytes) -> None:
    """Make a mount read-only, with what is mounted below it."""
    attributes = struct.pack("QQQQ", _RDONLY, 0, 0, 0)
    if (
        libc().syscall(
            _SYS_MOUNT_SETATTR,
            _AT_FDCWD,
            target,
            _AT_RECURSIVE,
            attributes,
            len(attributes),
        )
        == 0
    ):
        return
    if (
        ctypes.get_errno() != errno.ENOSYS
    ):  # Linux before 5.12 has it not: one mount after the other
        _check(-1, "mount_setattr", target)
    for place in _below(target):
        flags = os.statvfs(
            place
        ).f_flag  # without what it has already the kernel refuses
        kept = sum(mount for bit, mount in _KEPT.items() if flags & bit)
        _mount(None, place, None, _REMOUNT | _BIND | _RDONLY | kept)


def _below(target: bytes) -> list[bytes]:
    """Return the mount points at and below `target`."""
    with open("/proc/self/mountinfo", "rb") as file:
        places = [_unescaped(line.split()[4]) for line in file]
    return [
        place for place in places if place == target or place.startswith(target + b"/")
    ]


def _unescaped(field: bytes) -> bytes:
    """Read a path of mountinfo: white space and backslashes are written as three octal digits."""
    first, *others = field.split(b"\\")
    return first + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in others)


def _return(path: bytes, status: os.stat_result, directory: int) -> None:
    """Go back to where the process was; by its open descriptor where the path is hidden or not writable now."""
    try:
        now = os.stat(path)
        if (now.st_dev, now.st_ino) == (status.st_dev, status.st_ino) and os.access(
            path, os.W_OK
        ):
            os.chdir(path)
            return
    except OSError:
        pass
    os.fchdir(directory)


def _mount(
    source: bytes | None,
    target: bytes,
    kind: bytes | None,
    flags: int,
    data: bytes | None = None,
) -> None:
    _check(
        libc().mount(source, target, kind, ctypes.c_ulong(flags), data), "mount", target
    )


def _check(result: int, call: str, path: bytes) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}", os.fsdecode(path))


def libc() -> ctypes.CDLL:
    """Return the C library, with its functions looked up before a fork."""
    if not _loaded:
        library = ctypes.CDLL(None, use_errno=True)
        for name in (
            "mount",
            "pivot_root",
            "prctl",
            "setns",
            "syscall",
            "umount2",
            "unshare",
        ):
            getattr(library, name, None)
        _loaded.append(library)
    return _loaded[0]
