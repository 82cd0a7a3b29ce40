"""System calls of mounts, by the C library."""

import ctypes
import os
from collections.abc import Sequence

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_SLAVE = 4096, 16384, 1 << 19

Layers = tuple[bytes, ...]
"""Options of an overlay, its work directory, and its lower layers, the upmost first."""

# It contains at most one item.
_loaded: list[ctypes.CDLL] = []


def mount(
    source: bytes | None,
    target: bytes,
    kind: bytes | None,
    flags: int,
    data: bytes | None = None,
) -> None:
    """Attach a file system, or a folder, to the tree of files, as `mount` does.

    Raises:
        OSError: the system refuses it.
    """
    result = libc().mount(source, target, kind, ctypes.c_ulong(flags), data)
    check(result, "mount", target)


def check(result: int, call: str, path: bytes) -> None:
    """Raise the error of a call of the C library whose result is not 0.

    Raises:
        OSError: the call failed.
    """
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}", os.fsdecode(path))


def unshare_user(flags: int, subject: bytes) -> None:
    """Enter new namespaces within a new user namespace, in which the user stays the same.

    `flags` are those of the other namespaces, and `subject` names them in an error.

    Raises:
        OSError: the system refuses it.
    """
    uid, gid = os.geteuid(), os.getegid()
    check(libc().unshare(CLONE_NEWUSER | flags), "unshare", subject)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        os.write(file, text.encode())
        os.close(file)


def open_layers(layers: Layers) -> tuple[bytes, ...]:
    """Return options and open directories; their paths may be hidden later."""
    if not layers:
        return ()
    options, *directories = layers
    return (options, *(_descriptor_path(open_path(path)) for path in directories))


def attach(source: int, target: bytes, layers: Sequence[bytes]) -> None:
    """Mount an open source: as it is, or as the upper layer of an overlay."""
    path = _descriptor_path(source)
    if not layers:
        mount(path, target, None, MS_BIND | MS_REC)
        return
    options, work, *lower = layers
    # Such paths need no escapes, and do not grow with the user's paths.
    data = b"lowerdir=%s,upperdir=%s,workdir=%s" % (b":".join(lower), path, work)
    mount(b"riseml", target, b"overlay", 0, b"%s,%s" % (data, options))
    for directory in (work, *lower):
        os.close(int(os.path.basename(directory)))


def _descriptor_path(file: int) -> bytes:
    return b"/proc/self/fd/%d" % file


def open_path(source: bytes) -> int:
    """Return a descriptor that only names a file."""
    return os.open(source, os.O_PATH | os.O_CLOEXEC)


def canonical(source: bytes) -> bytes:
    """Return a path without symbolic links.

    Raises:
        OSError: there is no such file.
    """
    file = open_path(source)
    try:
        return os.readlink(b"/proc/self/fd/%d" % file)
    finally:
        os.close(file)


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
