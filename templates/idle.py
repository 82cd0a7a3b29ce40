"""Watcher of a job that requested GPUs: measures how much its own processes use them, and notices when they are idle.

    NVML, else nvidia-smi --every few seconds--> percent of SM time and memory traffic --Window--> idle: a file, a signal

Outside of containers, a card is judged by the processes of the job. In a container, or where a driver does not count by
process, the card itself counts. Nothing is known of a busy card that others share, of slices (MIG) and of AMD's cards.
What is not known is never called idle.

Time is idle while the average over all of it is below 2 percent. A single sample decides nothing: drivers report the
past second, and jobs compute in bursts. Time in which nothing was measured does not count.

It needs only the standard library of Python 2.7, 3.4 or newer.
"""

from __future__ import print_function

import json
import os
import signal
import subprocess
import sys
import time

try:
    import ctypes
except ImportError:
    sys.exit("riseml: this Python has no ctypes, so it is not measured whether GPUs are idle")

THRESHOLD = 2.0
_MARK_SECONDS = 900.0
_LONGEST_PAUSE, _SHORTEST_PAUSE = 5.0, 0.2
# Starting nvidia-smi takes a while.
_PROGRAM_FACTOR = 3
# The file of an idle job is as old as this at most.
_UPDATE_SECONDS = 30.0
_PROGRAM_SECONDS = 60
# Of the first process namespace of a machine.
_FIRST_NAMESPACE = "pid:[4026531836]"
_clock = getattr(time, "monotonic", time.time)


class Window(object):
    """Time for which a use has been below the threshold, on average over all of it.

    `seconds` is the time that matters: a longer idle time does not make later use count less.
    """

    def __init__(self, seconds):
        self.seconds, self.idle = seconds, 0.0
        self._below = [0.0, 0.0]

    def add(self, elapsed, use):
        """Count `elapsed` seconds with a use in percent of SM time and of memory traffic."""
        for index, percent in enumerate(use):
            below = self._below[index] + (THRESHOLD - percent) * elapsed
            self._below[index] = min(below, THRESHOLD * self.seconds)
        self.idle += elapsed
        if min(self._below) <= 0:
            self.reset()

    def reset(self):
        """Begin anew."""
        self.idle, self._below = 0.0, [0.0, 0.0]

    @property
    def is_over(self):
        """Whether the use has been below the threshold for all of the time."""
        return self.idle >= self.seconds


class Watch(object):
    """Idleness of a job: when it is marked, and when it has to stop (`timeout` seconds, 0 for never)."""

    def __init__(self, timeout):
        self.mark = Window(min(_MARK_SECONDS, timeout / 2.0) if timeout else _MARK_SECONDS)
        self.end = Window(timeout) if timeout else None
        self._unknown = 0.0

    def add(self, elapsed, use):
        """Count `elapsed` seconds with a use, None if it is not known."""
        windows = [window for window in (self.mark, self.end) if window]
        if use is not None:
            self._unknown = 0.0
            for window in windows:
                window.add(elapsed, use)
            return
        self._unknown += elapsed
        if self._unknown >= self.mark.seconds:
            for window in windows:
                window.reset()

    @property
    def idle(self):
        """Seconds for which the GPUs have been idle."""
        return self.mark.idle


class _ProcessSample(ctypes.Structure):
    _fields_ = [
        ("pid", ctypes.c_uint),
        ("time", ctypes.c_ulonglong),
        ("sm", ctypes.c_uint),
        ("memory", ctypes.c_uint),
        ("encoder", ctypes.c_uint),
        ("decoder", ctypes.c_uint),
    ]


class _Value(ctypes.Union):
    _fields_ = [("integer", ctypes.c_uint), ("bits", ctypes.c_ulonglong)]


class _Sample(ctypes.Structure):
    _fields_ = [("time", ctypes.c_ulonglong), ("value", _Value)]


class Nvml(object):
    """NVIDIA's library, which the container runtime puts into containers as well."""

    _NO_SAMPLES, _TOO_SHORT = 6, 7
    _SM_SAMPLES, _MEMORY_SAMPLES = 1, 2

    def __init__(self):
        self._library = ctypes.CDLL("libnvidia-ml.so.1")
        if self._library.nvmlInit_v2() != 0:
            raise OSError("NVML does not start")
        # By card and kind, the time of the last sample that was read.
        self._last = {}

    def cards(self, names):
        """Return the cards with these numbers or UUIDs, all if there are no names."""
        if names is None:
            count = ctypes.c_uint()
            if self._library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
                return []
            names = map(str, range(count.value))
        return [self._card(name) for name in names]

    def _card(self, name):
        handle = ctypes.c_void_p()
        if name.isdigit():
            status = self._library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(name)), ctypes.byref(handle))
        else:
            status = self._library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
        if status != 0:
            raise OSError("there is no card {0}".format(name))
        return handle

    def is_sliced(self, card):
        """Return whether a card is divided into slices (MIG), or is one."""
        current, pending = ctypes.c_uint(), ctypes.c_uint()
        status = self._library.nvmlDeviceGetMigMode(card, ctypes.byref(current), ctypes.byref(pending))
        is_slice = ctypes.c_uint()
        if self._library.nvmlDeviceIsMigDeviceHandle(card, ctypes.byref(is_slice)) == 0 and is_slice.value:
            return True
        return status == 0 and current.value == 1

    def of_processes(self, card):
        """Return the use of each process since the last call by pid, None if it is not known."""
        last = self._last.setdefault((card.value, "processes"), 0)
        samples = self._read(_ProcessSample, lambda *arguments: self._library.nvmlDeviceGetProcessUtilization(
            card, *(arguments + (ctypes.c_ulonglong(last),))))
        if samples is None:
            return None
        uses = {}
        for sample in samples:
            # The driver fills up its list with old and empty entries.
            if sample.pid and sample.time > last:
                self._last[card.value, "processes"] = max(self._last[card.value, "processes"], sample.time)
                uses.setdefault(sample.pid, []).append((sample.sm, sample.memory))
        return dict((pid, _average(values)) for pid, values in uses.items())

    def of_card(self, card):
        """Return the use of a card since the last call, None if it is not known."""
        use = [self._average_of(card, kind) for kind in (self._SM_SAMPLES, self._MEMORY_SAMPLES)]
        if None not in use:
            return tuple(use)
        rates = (ctypes.c_uint * 2)()
        if self._library.nvmlDeviceGetUtilizationRates(card, rates) != 0:
            return None
        return float(rates[0]), float(rates[1])

    def _average_of(self, card, kind):
        last, of_kind = self._last.get((card.value, kind), 0), ctypes.c_int()
        samples = self._read(_Sample, lambda array, count: self._library.nvmlDeviceGetSamples(
            card, ctypes.c_int(kind), ctypes.c_ulonglong(last), ctypes.byref(of_kind), count, array))
        new = [sample for sample in samples or () if sample.time > last]
        if not new:
            return None
        self._last[card.value, kind] = max(sample.time for sample in new)
        return sum(sample.value.integer for sample in new) / float(len(new))

    def _read(self, structure, call):
        """Return the entries that a function writes into an array, None if the driver refuses."""
        count = ctypes.c_uint(0)
        status = call(None, ctypes.byref(count))
        if status == self._NO_SAMPLES:
            return []
        if status not in (0, self._TOO_SHORT):
            return None
        array = (structure * max(1, count.value))()
        status = call(array, ctypes.byref(count))
        if status == self._NO_SAMPLES:
            return []
        return list(array[: count.value]) if status == 0 else None


class Program(object):
    """The program nvidia-smi, for what cannot load the library."""

    def __init__(self):
        self._cards = dict((row[0], row) for row in self._query())
        if not self._cards:
            raise OSError("nvidia-smi knows no card")

    def cards(self, names):
        """Return the numbers of the cards with these numbers or UUIDs, all if there are no names."""
        if names is None:
            return sorted(self._cards)
        numbers = []
        for name in names:
            matches = [row[0] for row in self._cards.values() if row[0] == name or row[1].startswith(name)]
            if not matches:
                raise OSError("there is no card {0}".format(name))
            numbers.append(matches[0])
        return numbers

    def is_sliced(self, card):
        return self._cards[card][4] == "Enabled"

    def of_processes(self, card):
        lines = self._output("pmon", "-c", "1", "-s", "u", "-i", card)
        if lines is None:
            return None
        uses = {}
        for line in lines:
            words = line.split()
            if len(words) > 4 and words[0] == card and words[1].isdigit():
                uses[int(words[1])] = (_number(words[3]) or 0.0, _number(words[4]) or 0.0)
        return uses

    def of_card(self, card):
        for number, _, sm, memory, _ in self._query():
            if number == card and _number(sm) is not None and _number(memory) is not None:
                return _number(sm), _number(memory)
        return None

    def _query(self):
        fields = "index,uuid,utilization.gpu,utilization.memory,mig.mode.current"
        lines = self._output("--query-gpu=" + fields, "--format=csv,noheader,nounits") or []
        rows = [[cell.strip() for cell in line.split(",")] for line in lines]
        return [row for row in rows if len(row) == 5]

    @staticmethod
    def _output(*words):
        """Return the lines that the program prints, None if it fails."""
        process = subprocess.Popen(("nvidia-smi",) + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        alarm = time.time() + _PROGRAM_SECONDS
        while process.poll() is None and time.time() < alarm:
            time.sleep(0.01)
        if process.poll() is None:
            process.kill()
        output, _ = process.communicate()
        return output.decode("utf-8", "replace").splitlines() if process.returncode == 0 else None


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _average(values):
    count = float(len(values))
    return tuple(sum(column) / count for column in zip(*values))


class Meter(object):
    """The use of the job's cards.

    `is_own` says whether a pid is one of the job's, and is None where pids cannot be recognized.
    """

    def __init__(self, source, names, is_shared, is_own):
        self._source, self._is_shared, self._is_own = source, is_shared, is_own
        self._names_processes = False
        self._cards = source.cards(names)

    def read(self):
        """Return the use of the card that is used most, in percent; None if it is not known."""
        uses = [self._use(card) for card in self._cards]
        known = [use for use in uses if use is not None]
        if not known:
            return None
        most = tuple(min(100.0, max(column)) for column in zip(*known))
        # What is not known could be in use.
        return most if len(known) == len(uses) or max(most) >= THRESHOLD else None

    def _use(self, card):
        if self._source.is_sliced(card):
            return None
        if self._is_own is not None:
            uses = self._source.of_processes(card)
            # A driver that has never named a process may be one that names none.
            self._names_processes = self._names_processes or bool(uses)
            if uses is not None and self._names_processes and not any(map(is_proxy, uses)):
                own = [use for pid, use in uses.items() if self._is_own(pid)]
                return tuple(sum(column) for column in zip(*own)) if own else (0.0, 0.0)
        use = self._source.of_card(card)
        # Of a busy card that is shared, it is not known who uses it.
        is_unknown = use is not None and self._is_shared and max(use) >= THRESHOLD
        return None if is_unknown else use


def own_pids(environment, root="/proc"):
    """Return the function that recognizes processes of this job, None in a container: its pids are not the driver's."""
    key = environment.get("RISEML_JOB_KEY")
    try:
        is_first = os.readlink(root + "/self/ns/pid") == _FIRST_NAMESPACE
    except OSError:
        is_first = False
    if not key or not is_first:
        return None
    entry = b"\0RISEML_JOB_KEY=" + key.encode() + b"\0"

    def is_own(pid):
        try:
            with open("{0}/{1}/environ".format(root, pid), "rb") as file:
                return entry in b"\0" + file.read() + b"\0"
        except (IOError, OSError):
            # It has ended meanwhile, or belongs to another user.
            return False

    return is_own


def is_proxy(pid, root="/proc"):
    """Return whether a process computes for others: the server of MPS."""
    try:
        with open("{0}/{1}/comm".format(root, pid), "rb") as file:
            return file.read().startswith(b"nvidia-cuda-mps")
    except (IOError, OSError):
        return False


def visible_cards(environment):
    """Return the numbers or UUIDs of the job's cards, None for all that there are."""
    names = environment.get("CUDA_VISIBLE_DEVICES")
    if names is None or environment.get("RISEML_LOGGED") != "1":
        # A container has only its own cards.
        return None
    return [name.strip() for name in names.split(",") if name.strip()]


def source():
    """Return what measures NVIDIA's cards, None if there is nothing."""
    for kind in (Nvml, Program):
        try:
            return kind()
        except (OSError, AttributeError):
            continue
    return None


class Report(object):
    """The file of an idle job, and the text that says why it was stopped."""

    def __init__(self, environment):
        self._file = "{0}/.riseml/idle.{1}.{2}".format(
            environment["OUTPUT_DIR"], environment["RISEML_JOB"], environment.get("RISEML_ATTEMPT") or 0
        )
        self._stop_file = environment["RISEML_DIR"] + "/idle"
        self._written_at = None

    def update(self, watch, now):
        """Write how long the job has been idle, or remove the file if it is not."""
        if not watch.mark.is_over:
            self.remove()
        elif self._written_at is None or now - self._written_at >= min(_UPDATE_SECONDS, watch.mark.seconds / 4):
            _write(self._file, json.dumps({"idle": int(watch.idle)}) + "\n")
            self._written_at = now

    def remove(self):
        if self._written_at is not None:
            self._written_at = None
            os.unlink(self._file)

    def stop(self, seconds):
        """Write why the job is stopped."""
        _write(self._stop_file, "{0:.0f}".format(seconds))


def _write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def main():
    """Watch until the run script ends, or the job has been idle for too long."""
    environment, runner = os.environ, os.getppid()
    timeout, kind = environment["RISEML_GPU_IDLE"].split()
    names = visible_cards(environment)
    gauge = source() if names != [] else None
    if gauge is None:
        return
    watch, report = Watch(float(timeout)), Report(environment)
    meter = Meter(gauge, names, kind == "shared", own_pids(environment))
    pause = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, watch.mark.seconds / 30))
    if isinstance(gauge, Program):
        pause *= _PROGRAM_FACTOR
    last = _clock()
    # The first samples may be older than this job.
    meter.read()
    while os.getppid() == runner:
        time.sleep(pause)
        now = _clock()
        watch.add(min(now - last, 3 * pause), meter.read())
        last = now
        report.update(watch, now)
        if watch.end and watch.end.is_over:
            report.stop(watch.end.seconds)
            os.kill(runner, signal.SIGALRM)
            return


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001 - the job continues without it
        print("riseml: this job is no longer watched for idle GPUs: {0}".format(error), file=sys.stderr)
