"""Library for jobs to report results and progress to RiseML. It never raises, and does nothing outside of a job.

    import riseml
    riseml.report_result(accuracy=0.93, loss=0.21)
    riseml.report_progress(3, 10)
    riseml.experiment_id()  # "14.3", or None outside of an experiment
    riseml.should_stop()  # whether a search that compares experiments early stops this one

It is one file for Python 2.7 and 3.4 or newer that needs only the standard library, and is on every job's PYTHONPATH.
The distribution riseml-report contains it for machines without RiseML.
"""

from __future__ import print_function

import errno
import json
import math
import os
import sys
import time

try:
    import fcntl
except ImportError:
    # Windows, where no job runs
    fcntl = None

__all__ = ["experiment_id", "report_progress", "report_result", "should_stop"]

# Bytes of the longest line that is read.
_LINE_LIMIT = 16 << 20
# A file of more bytes is shortened to so many bytes of lines at its start, and at its end.
_FILE_LIMIT, _KEPT = 8 << 20, 1 << 16

_reported = {}
# The last line of the file, and what identifies the file and its length after it was written.
_merged = {}
_written = []
# When the progress was last written to the volume.
_published = []
# The rungs of this experiment, and the number of reports so far.
_early = {}
# When the last line of the index of times was written.
_timed = [0.0]


def experiment_id():
    """Return the id of the experiment that this process belongs to, None outside of one."""
    return os.environ.get("RISEML_EXPERIMENT") or None


def report_result(**values):
    """Report values by name, in addition to those of earlier calls; the latest value of a name counts.

    Numbers of numpy, torch and similar libraries become plain numbers, arrays become lists, and NaN and infinities
    become their names. Outside of a job, nothing happens.
    """
    try:
        if os.environ.get("RESULT_FILE"):
            _report(values)
    except Exception as error:  # noqa: BLE001 - a report must never end a training
        _note("the result could not be reported: {0}".format(error))


def should_stop():
    """Return whether this experiment should save and end now, since others of its search are better.

    It decides by the last report, whose `step` says how far the experiment is. A program that calls this once is not
    stopped in any other way.
    """
    try:
        return bool(os.environ.get("RISEML_RUNGS")) and _should_stop()
    except Exception as error:  # noqa: BLE001
        _note("whether to stop could not be decided: {0}".format(error))
        return False


def _should_stop():
    if "rungs" not in _early:
        # A module of this name on PYTHONPATH could hide one of the program's own.
        module = {"__name__": "rungs"}
        with open(os.path.join(os.environ["RISEML_DIR"], "rungs.py")) as file:
            exec(compile(file.read(), file.name, "exec"), module)
        _early["module"], _early["rungs"] = module, module["Rungs"](os.environ)
        _early["rungs"].ask()
    rungs, module = _early["rungs"], _early["module"]
    if rungs.metric in _reported:
        step = module["step_of"](_reported, _early.get("reports", 0))
        reason = rungs.report(step, module["number"](_reported[rungs.metric]))
        if reason and not rungs.is_stopped():
            rungs.stop(reason)
    return rungs.is_stopped()


def report_progress(done, total):
    """Report that `done` of `total` steps are done. Outside of a job, nothing happens."""
    try:
        path = os.environ.get("ARGO_PROGRESS_FILE")
        if path:
            _flush()
            total = max(int(total), 1)
            progress = "{0}/{1}".format(min(max(int(done), 0), total), total)
            _replace(path, progress + "\n")
            _publish_progress(progress, int(done) >= total)
    except Exception as error:  # noqa: BLE001
        _note("the progress could not be reported: {0}".format(error))


def _publish_progress(progress, is_last):
    """Write the progress beside the results as well, for people who watch: Argo reads the other file once a minute.

    The volume may be slow, so a loop with many steps writes to it once a second.
    """
    results, now = os.environ.get("RESULT_FILE"), time.time()
    if not results or (not is_last and _published and 0 <= now - _published[0] < 1):
        return
    _published[:] = [now]
    attempt = os.environ.get("RISEML_ATTEMPT") or 0
    _replace(os.path.join(os.path.dirname(results), "progress"), "{0} {1}\n".format(progress, attempt))


def _replace(path, text):
    """Write a file that other processes read and write as well: never half of one text and half of another.

    Argo's executor crashes if the last line of its file is not a progress.
    """
    # A thread has its own object, a process its number, and jobs that share a volume their names.
    own = [text]
    temporary = "{0}.{1}.{2}.{3}".format(path, os.environ.get("RISEML_JOB", ""), os.getpid(), id(own))
    try:
        with open(temporary, "w") as file:
            file.write(text)
        os.rename(temporary, path)
    except Exception:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def _flush():
    """Flush standard output: a user who follows a report wants the log as well, and Python buffers a log file."""
    try:
        sys.stdout.flush()
    except Exception:  # noqa: BLE001 - a closed stream has nothing to flush
        pass


def _report(values):
    _flush()
    path = os.environ.get("RESULT_FILE")
    plain = _masked(dict((name, _plain(value)) for name, value in values.items()))
    _reported.update(plain)
    _early["reports"] = _early.get("reports", 0) + 1
    target, is_locked = _open_locked(path)
    try:
        size, identity = os.lseek(target, 0, os.SEEK_END), _identity(target)
        is_torn = False
        if _written == [identity, size]:
            # The last line is this process's own.
            _merged.update(plain)
        else:
            merged, is_torn = _last(target, size)
            merged.update(_reported)
            _merged.clear()
            _merged.update(merged)
        line = json.dumps(_merged, sort_keys=True) + "\n"
        data = (("\n" if is_torn else "") + line).encode("utf-8")
        _write(target, data)
        size += len(data)
        _write_time(path, size)
        _written[:] = [identity, size] if is_locked else []
        if is_locked and size > max(_FILE_LIMIT, 4 * len(data)):
            _shorten(target, path, size, len(data))
    finally:
        os.close(target)


def _write_time(path, size):
    """Append when the file of results had this size, at most once a second: so curves can be shown over time."""
    now = time.time()
    if now - _timed[0] >= 1:
        _timed[0] = now
        with open(path + ".times", "a") as index:
            index.write("{0:.3f} {1}\n".format(now, size))


def _write(target, data):
    while data:
        data = data[os.write(target, data) :]


def _read(target, start, length):
    """Return bytes of the file, fewer if it ends before."""
    os.lseek(target, start, os.SEEK_SET)
    data = b""
    while len(data) < length:
        block = os.read(target, length - len(data))
        if not block:
            break
        data += block
    return data


def _open_locked(path):
    """Return the open file, and whether it is locked."""
    for _ in range(10):
        target = _open(path)
        is_locked = _lock(target)
        try:
            if not is_locked or _identity(target) == _identity(path):
                return target, is_locked
        except OSError:
            pass
        # Another process has replaced the file, or moved it, since it was opened.
        os.close(target)
    return _open(path), False


def _identity(file):
    status = os.fstat(file) if isinstance(file, int) else os.stat(file)
    return status.st_dev, status.st_ino


def _shorten(target, path, size, last):
    """Replace a long file, which is locked, by its first and last lines; the last line has all values.

    Reports in an endless loop would fill the volume. A file without locks is never replaced.
    """
    first = _read(target, 0, _KEPT)
    end = max(_KEPT, last)
    lines = _read(target, size - end, end)
    if end > last:
        lines = lines[lines.find(b"\n") + 1 :]
    temporary = path + ".short"
    short = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        os.fchmod(short, os.fstat(target).st_mode & 0o777)
        _write(short, first[: first.rfind(b"\n") + 1] + lines)
    finally:
        os.close(short)
    # A program that appends lines itself does not lock the file.
    if os.lseek(target, 0, os.SEEK_END) == size:
        os.rename(temporary, path)
    else:
        os.remove(temporary)


def _open(path):
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        try:
            os.makedirs(folder)
        except OSError:
            # Another job may have made it in the meantime. If not, opening the file raises an error.
            pass
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)


def _lock(target):
    """Lock the file, which jobs share, for at most a second of waiting; some volumes do not support locks.

    Return whether it is locked.
    """
    for _ in range(100):
        try:
            fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except (IOError, OSError) as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return False
            time.sleep(0.01)
    return False


def _last(target, size):
    """Return the values of the last complete line, and whether a line after it is torn.

    Another process may have written the lines, or may have been killed while it wrote one.
    """
    length = 4096
    while True:
        length = min(length, size, _LINE_LIMIT)
        lines = _read(target, size - length, length).split(b"\n")
        is_torn = bool(lines[-1])
        if length < size:
            # The first line began before these bytes.
            del lines[0]
        for line in reversed(lines):
            values = _values(line)
            if values is not None:
                return values, is_torn
        if length in (size, _LINE_LIMIT):
            return {}, is_torn
        length *= 8


def _values(line):
    """Return the values of a line of the file, None if it has none."""
    try:
        values = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RuntimeError):
        return None
    return values if isinstance(values, dict) else None


def _secrets():
    """Return the secrets of this job, the longest first, since one may contain another."""
    values = [os.environ.get(name, "") for name in os.environ.get("RISEML_SECRETS", "").split()]
    return sorted(set(value.strip() for value in values if value.strip()), key=len, reverse=True)


# They are read at once, because a program may remove the variables.
_hidden = _secrets()


def _masked(value):
    """Return a plain value without secrets."""
    if isinstance(value, dict):
        return dict((_masked(name), _masked(item)) for name, item in value.items())
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, (int, float)) or value is None:
        return value
    for secret in _hidden:
        try:
            value = value.replace(secret, "***")
        except UnicodeError:
            # Python 2 cannot compare these.
            continue
    return value


def _plain(value):
    """Return a value that JSON can represent."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return dict((str(name), _plain(item)) for name, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return _foreign(value)


def _number(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)


def _foreign(value):
    # Numbers of numpy, torch and jax have `item`. It raises an error for arrays of several numbers.
    for method in ("item", "tolist"):
        try:
            return _plain(getattr(value, method)())
        except Exception:  # noqa: BLE001, S112, PERF203
            continue
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return str(value)
    return value


def _note(text):
    print("riseml: " + text, file=sys.stderr)
