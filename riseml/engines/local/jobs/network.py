"""Network of one experiment: its jobs reach each other, and only each other, at 127.0.0.1.

    first job ──unshare──▶ network namespace, loopback up ◀──setns── other jobs
                               └── pasta, where it is installed: the way to other machines

The network's file lists the supervisors in it, so that a later job finds the namespace,
which disappears with its last process. A user who is not root has rights only in a user
namespace. It is entered first, so that a job's mounts may be made there as well.
"""

import ctypes
import fcntl
import os
import signal
import struct
import sys
import time
from collections.abc import Callable

from riseml.engines.local.jobs import mount_calls, processes

# Of clone(2), socket(2) and netdevice(7).
_CLONE_NEWNET = 0x40000000
_AF_INET, _SOCK_DGRAM = 2, 2
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_CAP_SYS_ADMIN = 21
_MAX_FILE_BYTES = 1 << 16
_SUBJECT = b"a network of its own"
# An interface of pasta appears within some 50 ms.
_GATEWAY_SECONDS = 5.0
_PAUSE_SECONDS = 0.005
# No port is forwarded from the machine to the experiment or back.
_GATEWAY_OPTIONS = (
    b"--foreground --quiet --config-net --no-map-gw"
    b" --tcp-ports none --udp-ports none --tcp-ns none --udp-ns none"
).split()

# It contains at most one item.
_probed: list[bool] = []


def supported() -> bool:
    """Return whether this machine allows this user networks of their own.

    The first call tries it in a child; later calls return the same result.
    """
    if not _probed:
        _probed.append(_probe())
    return _probed[0]


def enter(file: bytes, gateway: bytes, key: str) -> bool:
    """Move this process into the network of a file, and make it if no process is in it.

    `gateway` is the path of pasta, empty without one. It runs as a child of this process
    with the key of its job. Return False if it does not work.

    Raises:
        OSError: the machine does not allow it.
    """
    # The first job waits for its gateway, and its peers for the first job.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        members = os.read(descriptor, _MAX_FILE_BYTES).splitlines()
        has_gateway = True
        if not any(map(_join, members)):
            has_gateway = _create(gateway, key)
        pid = os.getpid()
        os.write(descriptor, b"%d %d\n" % (pid, processes.start_time(pid) or 0))
    finally:
        os.close(descriptor)
    return has_gateway


def _join(member: bytes) -> bool:
    """Enter the network of a process; return False if that has ended."""
    pid, start_time = map(int, member.split())
    if processes.start_time(pid) != start_time:
        return False
    process = b"/proc/%d" % pid
    names = (b"net",) if _is_privileged() else (b"user", b"net")
    try:
        namespaces = [_open_namespace(process, name) for name in names]
    except OSError:
        # It ends right now.
        return False
    for namespace in namespaces:
        _enter_namespace(namespace)
    return True


def _create(gateway: bytes, key: str) -> bool:
    """Enter a new network; return False if its gateway does not work."""
    # The launcher's handler would take the end of a child for that of a job.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if not gateway:
        _make_network()
        return True
    if _is_privileged():
        return _create_in_child(gateway, key)
    process = b"/proc/%d" % os.getpid()
    writer, pid = _fork_waiting(lambda: _become_gateway(gateway, key, process))
    _make_network()
    os.close(writer)
    return _await_gateway(pid)


def _create_in_child(gateway: bytes, key: str) -> bool:
    """Enter a new network that a child makes in a user namespace of its own.

    pasta gives up the rights of root, and then has rights only in such a namespace.
    """
    ready_reader, ready_writer = os.pipe()
    exit_reader, exit_writer = os.pipe()
    holder = os.fork()
    if not holder:
        try:
            os.close(exit_writer)
            _unshare_user()
            _bring_up(b"lo")
            os.write(ready_writer, b"1")
            os.read(exit_reader, 1)
        finally:
            os._exit(0)
    os.close(ready_writer)
    os.read(ready_reader, 1)
    process = b"/proc/%d" % holder
    writer, pid = _fork_waiting(lambda: _become_gateway(gateway, key, process))
    _enter_namespace(_open_namespace(process, b"net"))
    os.close(writer)
    has_gateway = _await_gateway(pid)
    for descriptor in (ready_reader, exit_reader, exit_writer):
        os.close(descriptor)
    os.waitpid(holder, 0)
    return has_gateway


def _become_gateway(gateway: bytes, key: str, process: bytes) -> None:
    """Run pasta for the network of a process."""
    # A TERM for the job's process group must not end its network.
    os.setsid()
    os.dup2(0, 2)
    words = [gateway, *_GATEWAY_OPTIONS]
    if os.geteuid() == 0:
        words += [b"--runas", b"0:0"]
    words += [b"--userns", process + b"/ns/user", b"--netns", process + b"/ns/net"]
    os.execve(gateway, words, {processes.KEY: key})  # noqa: S606


def _is_privileged() -> bool:
    """Return whether this process may make and enter networks without a user namespace."""
    file = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.read(file, _MAX_FILE_BYTES)
    finally:
        os.close(file)
    rights = int(status.partition(b"CapEff:")[2].split()[0], 16)
    return bool(rights >> _CAP_SYS_ADMIN & 1)


def _make_network() -> None:
    if _is_privileged():
        _check(mount_calls.libc().unshare(_CLONE_NEWNET), "unshare")
    else:
        _unshare_user()
    _bring_up(b"lo")


def _unshare_user() -> None:
    """Enter a new network in a new user namespace."""
    mount_calls.unshare_user(_CLONE_NEWNET, _SUBJECT)


def _open_namespace(process: bytes, name: bytes) -> int:
    return os.open(process + b"/ns/" + name, os.O_RDONLY | os.O_CLOEXEC)


def _enter_namespace(namespace: int) -> None:
    _check(mount_calls.libc().setns(namespace, 0), "setns")
    os.close(namespace)


def _fork_waiting(act: Callable[[], None]) -> tuple[int, int]:
    """Fork a child that stays in the network of this moment, and acts later.

    Return a descriptor, which starts it when it is closed, and its pid.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(reader)
        return writer, pid
    try:
        os.close(writer)
        os.read(reader, 1)
        act()
    finally:
        os._exit(1)


def _bring_up(interface: bytes) -> None:
    library = mount_calls.libc()
    request = ctypes.create_string_buffer(struct.pack("16sh22x", interface, _IFF_UP))
    socket = library.socket(_AF_INET, _SOCK_DGRAM, 0)
    _check(min(socket, 0), "socket")
    result = library.ioctl(socket, ctypes.c_ulong(_SIOCSIFFLAGS), request)
    os.close(socket)
    _check(result, "ioctl")


def _await_gateway(pid: int) -> bool:
    """Wait until this network has a route to others; return False if the gateway fails."""
    end = time.monotonic() + _GATEWAY_SECONDS
    while time.monotonic() < end:
        if _count_routes():
            return True
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(_PAUSE_SECONDS)
    return False


def _count_routes() -> int:
    """Return the number of routes of this network besides that to itself."""
    file = os.open("/proc/self/net/route", os.O_RDONLY | os.O_CLOEXEC)
    try:
        lines = os.read(file, _MAX_FILE_BYTES).splitlines()
    finally:
        os.close(file)
    # The first line is a header.
    return len(lines) - 1


def _probe() -> bool:
    if sys.platform != "linux":
        return False
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    try:
        _make_network()
        os._exit(0)
    finally:
        os._exit(1)


def _check(result: int, call: str) -> None:
    mount_calls.check(result, call, _SUBJECT)
