"""Ranks of one worker, and how they are stopped: the programs first, what they have started afterwards.

    mpirun ──▶ rank.sh ──▶ session.sh ──▶ python train.py ──▶ DataLoader workers
               stays       1. TERM, waits  1. TERM            2. TERM once train.py has exited

A rank's helpers often belong to its way of saving, and `tee` still writes what it prints. They get TERM last.
"""

import os
import signal
import subprocess
import time

# A program at the end of a pipeline exits by itself a moment after the one that it reads from.
HELPER_DELAY_SECONDS = 0.5
PAUSE_SECONDS = 0.05
SHELLS = frozenset(("ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "zsh"))


class Process(object):
    """A running process; `start` distinguishes it from a later one with the same pid."""

    def __init__(self, pid, parent, start, name):
        self.pid = pid
        self.parent = parent
        self.start = start
        self.name = name

    @property
    def key(self):
        return self.pid, self.start

    def is_shell(self):
        try:
            path = os.readlink("/proc/{0}/exe".format(self.pid))
        except OSError:
            path = self.name
        return os.path.basename(path) in SHELLS

    def catches_term(self):
        try:
            with open("/proc/{0}/status".format(self.pid)) as file:
                masks = [line.split()[1] for line in file if line.startswith("SigCgt:")]
        except OSError:
            return False
        return bool(masks) and bool(int(masks[0], 16) >> (signal.SIGTERM - 1) & 1)

    def stream(self, number):
        """Return the pipe of a descriptor, None if it is something else."""
        try:
            path = os.readlink("/proc/{0}/fd/{1}".format(self.pid, number))
        except OSError:
            return None
        return path if path.startswith("pipe:") else None

    def terminate(self):
        try:
            os.kill(self.pid, signal.SIGTERM)
        except OSError:
            pass


class Processes(object):
    """The processes that run at one moment."""

    def __init__(self, processes):
        self.by_key = {}
        self.by_pid = {}
        self._children = {}
        for process in processes:
            self.by_key[process.key] = process
            self.by_pid[process.pid] = process
            self._children.setdefault(process.parent, []).append(process)

    def children(self, pid):
        return self._children.get(pid, [])

    def descendants(self, pid):
        result = []
        for child in self.children(pid):
            result.append(child)
            result += self.descendants(child.pid)
        return result

    def programs(self, shell):
        """Return the processes that a shell waits for, and those that a shell among them waits for."""
        result = []
        children = self.children(shell.pid)
        for child in children:
            if child.is_shell() and self.children(child.pid):
                # A script without a trap would only die, and leave its program behind.
                if child.catches_term():
                    result.append(child)
                result += self.programs(child)
            elif not _only_reads(child, children):
                result.append(child)
        return result or [shell]


def _only_reads(process, siblings):
    """Return whether a process reads what another one of its pipeline writes."""
    stdin = process.stream(0)
    if stdin is None:
        return False
    for sibling in siblings:
        if sibling is not process and stdin in (sibling.stream(1), sibling.stream(2)):
            return True
    return False


def processes():
    """Return all processes that run now."""
    if not os.path.exists("/proc/self/stat"):
        return Processes(_listed_by_ps())
    result = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/{0}/stat".format(pid), "rb") as file:
                name, _, fields = file.read().partition(b" (")[2].rpartition(b") ")
        except OSError:
            continue
        fields = fields.split()
        if fields[0] not in (b"Z", b"X"):
            result.append(Process(int(pid), int(fields[1]), int(fields[19]), name.decode("utf-8", "replace")))
    return Processes(result)


def _listed_by_ps():
    done = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat=,comm="], stdout=subprocess.PIPE, check=False)
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        pid, parent, state, name = line.split(None, 3)
        if not state.startswith("Z"):
            yield Process(int(pid), int(parent), 0, name)


class Rank(object):
    """A rank that is being stopped; `pid` is that of its rank.sh."""

    def __init__(self, pid, ended_file):
        self.pid = pid
        self._ended_file = ended_file
        self._programs = set()
        self._members = set()
        self._signaled = set()
        self._helpers_due = None

    def advance(self, now):
        """Send TERM to those whose turn it is; return whether a process of the rank is left."""
        has_ended = self.pid not in now.by_pid or os.path.exists(self._ended_file)
        self._find_members(now, has_ended)
        if not self._programs and not has_ended:
            self._programs = self._find_programs(now)
            # session.sh reacts when its program has exited, and starts no other one.
            sessions = set(process.key for process in now.children(self.pid))
            self._terminate(self._programs | sessions, now)
            # It may just have started, and have no program yet.
            return True
        if self._programs & set(now.by_key):
            return True
        if self._helpers_due is None:
            self._helpers_due = time.time() + HELPER_DELAY_SECONDS
        remaining = self._members & set(now.by_key)
        if time.time() >= self._helpers_due:
            self._terminate(remaining - self._signaled, now)
        return bool(remaining) or not has_ended

    def _find_members(self, now, has_ended):
        """Add descendants, also of members that rank.sh has lost."""
        roots = [pid for pid, _ in self._members & set(now.by_key)]
        if not has_ended:
            roots.append(self.pid)
        for root in roots:
            self._members.update(process.key for process in now.descendants(root))

    def _find_programs(self, now):
        programs = []
        for session in now.children(self.pid):
            programs += now.programs(session)
        return set(process.key for process in programs)

    def _terminate(self, keys, now):
        self._signaled |= keys
        for key in keys:
            now.by_key[key].terminate()


class Ranks(object):
    """The ranks of this worker, which write files to a folder; see mpi_rank.sh."""

    def __init__(self, folder):
        self._folder = os.path.join(folder, "ranks")
        self._stop_file = os.path.join(folder, "stop")
        self._stopping = {}

    def prepare(self):
        """Make the folder, without files of earlier ranks."""
        os.makedirs(self._folder, exist_ok=True)
        for path in [self._stop_file] + [os.path.join(self._folder, name) for name in os.listdir(self._folder)]:
            if os.path.exists(path):
                os.remove(path)

    def stop(self, seconds):
        """Stop all ranks, and those that just start; return when none is left, or the time is over."""
        open(self._stop_file, "w").close()
        limit = time.time() + seconds
        while self._advance() and time.time() < limit:
            time.sleep(PAUSE_SECONDS)

    def _advance(self):
        now = processes()
        for pid in self._running(now):
            if pid not in self._stopping:
                self._stopping[pid] = Rank(pid, self._ended_file(pid))
        remaining = [rank.advance(now) for rank in self._stopping.values()]
        return any(remaining)

    def _running(self, now):
        names = os.listdir(self._folder)
        pids = [int(name) for name in names if name.isdigit()]
        return [pid for pid in pids if pid in now.by_pid and not os.path.exists(self._ended_file(pid))]

    def _ended_file(self, pid):
        return os.path.join(self._folder, "{0}.ended".format(pid))
