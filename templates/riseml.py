"""Library for jobs to report results and progress to RiseML. It never raises, inside or outside of a job.

    import riseml
    riseml.report_result(accuracy=0.93, loss=0.21)
    riseml.report_progress(3, 10)
    riseml.experiment_id()  # "14.3", or None outside of an experiment

It is one file for Python 2.7 and 3.4 or newer that needs only the standard library, and is on every job's PYTHONPATH.
"""

from __future__ import print_function

import errno
import fcntl
import json
import math
import os
import sys
import time

__all__ = ["experiment_id", "report_progress", "report_result"]

_reported = {}


def experiment_id():
    """Return the id of the experiment that this process belongs to, None outside of one."""
    return os.environ.get("RISEML_EXPERIMENT") or None


def report_result(**values):
    """Report values by name, in addition to those of earlier calls; the latest value of a name counts.

    Numbers of numpy, torch and similar libraries become plain numbers, arrays become lists, and NaN and infinities
    become their names.
    """
    try:
        _report(values)
    except Exception as error:  # noqa: BLE001 - a report must never end a training
        _note("the result could not be reported: {0}".format(error))


def report_progress(done, total):
    """Report that `done` of `total` steps are done."""
    _flush()
    try:
        path = os.environ.get("ARGO_PROGRESS_FILE")
        if path:
            total = max(int(total), 1)
            with open(path, "w") as file:
                file.write("{0}/{1}\n".format(min(max(int(done), 0), total), total))
        elif not experiment_id():
            _note("{0} of {1} done (outside of an experiment: not reported)".format(done, total))
    except Exception as error:  # noqa: BLE001
        _note("the progress could not be reported: {0}".format(error))


def _flush():
    """Flush standard output: a user who follows a report wants the log as well, and Python buffers a log file."""
    try:
        sys.stdout.flush()
    except Exception:  # noqa: BLE001 - a closed stream has nothing to flush
        pass


def _report(values):
    _flush()
    path = os.environ.get("RESULT_FILE")
    plain = dict((name, _plain(value)) for name, value in values.items())
    if not path:
        assignments = ["{0}={1}".format(name, json.dumps(plain[name])) for name in sorted(plain)]
        return _note("{0} (outside of an experiment: not reported)".format(", ".join(assignments)))
    target = _open(path)
    try:
        _lock(target)
        end = _end(target)
        merged = _last(end)
        _reported.update(plain)
        merged.update(_reported)
        torn = "\n" if end and not end.endswith("\n") else ""
        os.write(target, (torn + json.dumps(merged, sort_keys=True) + "\n").encode("utf-8"))
    finally:
        os.close(target)


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
    """Lock the file, which jobs share, for at most a second of waiting; some volumes do not support locks."""
    for _ in range(100):
        try:
            return fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (IOError, OSError) as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return None
            time.sleep(0.01)
    return None


def _end(target):
    size = os.lseek(target, 0, os.SEEK_END)
    os.lseek(target, -min(size, 65536), os.SEEK_END)
    return os.read(target, 65536).decode("utf-8", "replace")


def _last(text):
    """Return the values of the last line, which another process may have written."""
    try:
        last = json.loads([line for line in text.split("\n") if line.strip()][-1])
    except (IndexError, ValueError):
        return {}
    return last if isinstance(last, dict) else {}


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
