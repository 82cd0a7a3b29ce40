"""Watcher of a job whose search stops experiments early: reads the metric of a program that knows nothing of RiseML.

    results, event files, tables, the log --read--> (step, value) --rungs.py--> continue, or a signal to the run script

It sleeps most of the time, and reads only what is new. The first of these sources that has the metric counts. A report
without a step has the step of the lines before it, else its own number. It needs only the standard library of Python 2.7,
3.4 or newer, and does nothing more once the program itself calls `riseml.should_stop()`.
"""

from __future__ import print_function

import csv
import json
import os
import re
import signal
import struct
import sys
import time

import rungs

_PAUSE = 0.5
_SCAN_PAUSES = (1, 2, 4, 8, 15)
# A scan may take this share of the time.
_SCAN_SHARE = 0.02
_READ_BYTES = 1 << 22
_MAX_EVENT = 1 << 20
_SKIPPED = frozenset([".git", ".riseml", "__pycache__", "node_modules", "site-packages"])
_STEPS = ("step", "global_step", "iteration", "iter", "epoch")
_NUMBER = (
    r"([-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\d\w]|[.:,-]\d)"
    r"|[-+]?(?:[nN]a[nN]|NAN|[iI]nf(?:inity)?|INF)(?!\w))"
)
_BEHIND_NAME = (
    r"[\"']?(?:[ ]?[(\[][^)\]\d]{0,12}[)\]])?(?:[ \t]*(?:=>|->|[:=|])[ \t]*|[ \t]+(?:(?:is|was|of)[ \t]+)?)"
    r"[\"']?(?:[A-Za-z_][\w.]{0,30}\()?\[?[ ]*" + _NUMBER
)
_STEP = re.compile(
    r"^[ \t]*\[(\d+)\]|\b(?:global_step|step|iter|iteration|epoch)s?[\"']?[ \t:=]*\[?(\d+(?:\.\d+)?)", re.IGNORECASE
)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")


class Tail(object):
    """What is new in a file that grows."""

    def __init__(self, path):
        self.path = path
        self.offset = 0

    def read(self):
        """Return the bytes after those that `offset` has passed."""
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self.offset:
                    self.offset = 0
                file.seek(self.offset)
                return file.read(_READ_BYTES)
        except (IOError, OSError):
            return b""

    def lines(self):
        """Return the complete lines that are new, as text."""
        data = self.read()
        data = data[: data.rfind(b"\n") + 1]
        self.offset += len(data)
        return data.decode("utf-8", "replace").split("\n")[:-1]


class Results(object):
    """The file of results: reports of the program itself."""

    def __init__(self, path, metric):
        self._tail, self._metric, self._count = Tail(path), metric, 0

    def read(self):
        points = []
        for line in self._tail.lines():
            try:
                values = json.loads(line)
            except ValueError:
                continue
            if isinstance(values, dict) and self._metric in values:
                self._count += 1
                points.append((rungs.step_of(values, self._count), rungs.number(values[self._metric])))
        return points


class Log(object):
    """The log of the job. Of a progress bar, only the last state counts."""

    def __init__(self, path, metric, pattern):
        self._tail, self._count, self._step, self._has_exact = Tail(path), 0, None, False
        words = "[ _/.-]?".join(re.findall(r"[^\W_]+", metric))
        words = re.sub(r"(?i)(?<![^\W_])val(?:id(?:ation)?)?(?![^\W_])", "val(?:id(?:ation)?)?", words)
        before = r"(?<![\w/.-])"
        self._exact = re.compile(pattern or before + re.escape(metric) + _BEHIND_NAME)
        self._similar = re.compile(before + words + _BEHIND_NAME, re.IGNORECASE) if words and not pattern else None

    def read(self):
        points = []
        for line in self._tail.lines():
            line = _ESCAPE.sub("", line.rstrip("\r").rpartition("\r")[2].rpartition("\b")[2])
            if line.startswith("riseml: "):
                continue
            step = _STEP.search(line)
            if step:
                self._step = float(step.group(step.lastindex))
            value = self._value(line)
            if value is not None:
                self._count += 1
                points.append((self._count if self._step is None else self._step, value))
        return points

    def _value(self, line):
        found = [match.group(1) for match in self._exact.finditer(line) if match.group(1)]
        self._has_exact = self._has_exact or bool(found)
        if not found and self._similar and not self._has_exact:
            found = [match.group(1) for match in self._similar.finditer(line)]
        return rungs.number(found[-1].replace(",", "")) if found else None


class Table(object):
    """A CSV file with a column for steps."""

    def __init__(self, path, metric):
        self._tail, self._metric, self._names = Tail(path), _words(metric), None

    def read(self):
        points = []
        if self._tail.offset == 0:
            self._names = None
        for line in self._tail.lines():
            delimiter = max(",;\t", key=line.count)
            try:
                cells = next(csv.reader([str(line)], delimiter=str(delimiter)), [])
            except (csv.Error, UnicodeError):
                continue
            if self._names is None:
                self._names = [cell.strip() for cell in cells]
                continue
            row = dict(zip(self._names, cells))
            steps = [row[name] for name in self._names if name.lower() in _STEPS and row.get(name)]
            values = [row[name] for name in self._names if _words(name) == self._metric and row.get(name)]
            if steps and values:
                points.append((rungs.number(steps[0]), rungs.number(values[0])))
        return points


class Events(object):
    """A TensorBoard event file."""

    def __init__(self, path, metric, folder):
        self._tail, self._metric = Tail(path), metric
        self._folder = folder

    def read(self):
        data, position, points = self._tail.read(), 0, []
        while position + 12 <= len(data):
            (length,) = struct.unpack_from("<Q", data, position)
            end = position + length + 16
            if length <= _MAX_EVENT and end > len(data):
                break
            if length <= _MAX_EVENT:
                try:
                    points += self._event(data[position + 12 : position + 12 + length])
                except (IndexError, struct.error):
                    # Some file systems show zeros where the data is still to come.
                    break
            position = end
        self._tail.offset += position
        return points

    def _event(self, data):
        event = _fields(data)
        step = event.get(2, [0])[-1]
        points = []
        for summary in event.get(5, ()):
            for value in _fields(summary).get(1, ()):
                fields = _fields(value)
                tag = b"".join(fields.get(1, ())).decode("utf-8", "replace")
                scalar = _scalar(fields) if self._is_metric(tag) else None
                if scalar is not None:
                    points.append((step, scalar))
        return points

    def _is_metric(self, tag):
        if tag == self._metric:
            return True
        metric, words = _words(self._metric), _words(tag)
        leaf = _words(self._folder)
        measured = words[6:] if words.startswith("epoch_") else words
        if leaf == "val":
            return metric == "val_" + measured
        return metric in (words, measured, leaf + "_" + words)


def _fields(data):
    """Return the fields of a protocol buffer by their numbers: integers, and the bytes of everything else."""
    data, fields, position = bytearray(data), {}, 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, position = _varint(data, position)
        else:
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length, position = _varint(data, position)
            value = bytes(data[position : position + length])
            position += length
        fields.setdefault(number, []).append(value)
    return fields


def _varint(data, position):
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return result, position


def _scalar(fields):
    """Return the number of a value, None if it is none, or several."""
    simple = b"".join(fields.get(2, ()))
    if len(simple) == 4:
        return struct.unpack("<f", simple)[0]
    for data in fields.get(8, ()):
        tensor = _fields(data)
        if any(tensor.get(2, ())):
            return None
        content = b"".join(sum((tensor.get(number, []) for number in (4, 5, 6)), []))
        form = {1: "<f", 2: "<d"}.get(tensor.get(1, [0])[-1])
        if form and len(content) == struct.calcsize(form):
            return struct.unpack(form, content)[0]
    return None


def _words(text):
    words = re.findall(r"[^\W_]+", text.lower())
    return "_".join("val" if word in ("valid", "validation") else word for word in words)


class Files(object):
    """The event files and tables below the output and the working directory that this attempt writes."""

    def __init__(self, metric, folders):
        self._metric, self._folders = metric, folders
        self._began = os.stat(os.path.join(os.environ["RISEML_DIR"], "started")).st_mtime
        self._known, self.events, self.tables = set(), [], []
        self._scans, self._next = 0, 0

    def scan(self):
        """Look for new files, unless that was done a short time ago."""
        start = time.time()
        if start < self._next:
            return
        for top in self._folders:
            for folder, names, files in os.walk(top):
                names[:] = [name for name in names if name not in _SKIPPED]
                for name in files:
                    self._add(top, folder, name)
        end = time.time()
        pause = _SCAN_PAUSES[min(self._scans, len(_SCAN_PAUSES) - 1)]
        self._scans += 1
        self._next = end + max(pause, (end - start) / _SCAN_SHARE)

    def _add(self, top, folder, name):
        is_table = name.endswith((".csv", ".tsv")) or name == "training.log"
        path = os.path.join(folder, name)
        if path in self._known or not (is_table or "tfevents" in name):
            return
        try:
            if os.stat(path).st_mtime < self._began - 1:
                return
        except OSError:
            return
        self._known.add(path)
        if is_table:
            self.tables.append(Table(path, self._metric))
        else:
            leaf = "" if folder == top else os.path.basename(folder)
            self.events.append(Events(path, self._metric, leaf))


class Watcher(object):
    """The sources of the metric, in the order in which they count."""

    def __init__(self, ladder):
        output = os.environ["OUTPUT_DIR"]
        log = "{0}/.riseml/logs/{1}.{2}.log".format(output, os.environ["RISEML_JOB"], os.environ.get("RISEML_ATTEMPT", "0"))
        self._files = Files(ladder.metric, [output, os.getcwd()])
        self._results = Results(os.environ["RESULT_FILE"], ladder.metric)
        self._log = Log(log, ladder.metric, ladder.pattern)
        self._is_pattern = bool(ladder.pattern)
        self._best_source = 3

    def points(self):
        """Return the new values of the metric with their steps."""
        self._files.scan()
        sources = [[self._results], self._files.events, self._files.tables, [self._log]]
        if self._is_pattern:
            # A pattern is for logs alone.
            sources[1:3] = [[], []]
        points = []
        for rank, readers in enumerate(sources):
            new = sum((reader.read() for reader in readers), [])
            if new and rank <= self._best_source:
                self._best_source, points = rank, new
        return points


def main():
    """Watch until the run script ends, or a process decides that the experiment stops."""
    ladder, runner = rungs.Rungs(os.environ), os.getppid()
    watcher = Watcher(ladder)
    while os.getppid() == runner and not ladder.is_asked():
        if ladder.is_stopped():
            os.kill(runner, signal.SIGUSR2)
            return
        for step, value in watcher.points():
            reason = ladder.report(step, value)
            if reason and not ladder.is_asked():
                ladder.stop(reason)
                break
        else:
            time.sleep(_PAUSE)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001 - the experiment continues without it
        print("riseml: the search can no longer stop this experiment early: {0}".format(error), file=sys.stderr)
