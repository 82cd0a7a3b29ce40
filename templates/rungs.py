"""Rungs of a search that stops experiments early: what all experiments of a set have reached, and who may continue.

    rungs/9/14     one number: the metric of experiment 14 at its first report at or after step 9
    rungs/27/14    the same at step 27

There is no coordinator. Each experiment writes its own files, and decides at every report for the last rung that it has
passed: it continues if it is among the best third of the rung's files. Others may come later, so it looks again each
time. It looks only at the last rung: one that reaches an early rung late must not stop one that is far ahead.

It needs only the standard library of Python 2.7, 3.4 or newer.
"""

from __future__ import print_function

import errno
import json
import math
import os


class Rungs(object):
    """The rungs of one experiment, as its environment describes them."""

    def __init__(self, environment):
        settings = json.loads(environment["RISEML_EARLY_STOP"])
        self.metric = settings["metric"]
        self.pattern = settings.get("pattern", "")
        self._sign = -1 if settings["mode"] == "max" else 1
        self._steps = settings["rungs"]
        self._end = settings["max_resource"]
        self._reduction = settings["reduction"]
        self._folder = environment["RISEML_RUNGS"]
        bracket = environment.get("RISEML_BRACKET")
        if bracket:
            # Experiments of a bracket compete only with each other.
            self._steps = self._steps[int(bracket) :]
            self._folder = os.path.join(self._folder, "bracket-" + bracket)
        self._experiment = environment["RISEML_EXPERIMENT"].rpartition(".")[2]
        own = os.path.join(environment["OUTPUT_DIR"], ".riseml")
        self._stopped, self._asked = os.path.join(own, "early"), os.path.join(own, "early-asked")
        self._recorded = 0
        # The sort key of each experiment at each rung, by name. A file never changes, so it is read once.
        self._keys = dict((step, {}) for step in self._steps)

    def report(self, step, value):
        """Record a value of the metric; return why the experiment has to stop, None if it may continue."""
        passed = [rung for rung in self._steps if rung <= step]
        for rung in passed[self._recorded :]:
            self._record(rung, value)
        self._recorded = max(self._recorded, len(passed))
        if not passed or step >= self._end:
            return None
        return self._judge(passed[-1], step)

    def stop(self, reason):
        """Record that the experiment stops, before it does: a further attempt finds this and does not start."""
        _write(self._stopped, reason + "\n")

    def is_stopped(self):
        """Return whether a process of this experiment has decided to stop it."""
        return os.path.exists(self._stopped)

    def ask(self):
        """Record that the program itself asks whether to stop, so nothing else stops it."""
        if not os.path.exists(self._asked):
            _write(self._asked, "")

    def is_asked(self):
        """Return whether the program itself asks."""
        return os.path.exists(self._asked)

    def _record(self, rung, value):
        path = os.path.join(self._folder, str(rung), self._experiment)
        # An earlier attempt may have written it.
        if not os.path.exists(path):
            _write(path, "{0!r}\n".format(float(value)))

    def _judge(self, rung, step):
        keys = self._keys[rung]
        folder = os.path.join(self._folder, str(rung))
        for name in os.listdir(folder):
            if name not in keys and not name.startswith("."):
                keys[name] = self._key(name, _read(os.path.join(folder, name)))
        own = keys[self._experiment]
        rank = sum(key < own for key in keys.values())
        best = max(len(keys) // self._reduction, 1)
        if rank < best:
            return None
        value = "{0:.6g}".format(own[-1])
        place = "{0} of {1}".format(rank + 1, len(keys))
        return "at step {0}: {1}={2} is number {3} at step {4}, and the best {5} continue".format(
            _plain(step), self.metric, value, place, rung, best
        )

    def _key(self, name, value):
        """Return the sort key of an experiment at a rung: the best first, equal ones by their numbers."""
        # A loss of minus infinity is a mistake, not the best.
        is_bad = math.isnan(value) or math.isinf(value)
        return is_bad, 0 if is_bad else self._sign * value, int(name) if name.isdigit() else 0, value


def number(value):
    """Return a reported value as a number; NaN, which is the worst, if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def step_of(values, count):
    """Return the step that a report names; the number of the report if it names none."""
    for name in ("step", "epoch", "global_step", "iteration"):
        step = number(values.get(name))
        if not (math.isnan(step) or math.isinf(step)):
            return step
    return count


def _plain(step):
    return int(step) if step == int(step) else step


def _read(path):
    with open(path) as file:
        return number(file.read())


def _write(path, text):
    """Write a file that others see complete or not at all."""
    folder, name = os.path.split(path)
    try:
        os.makedirs(folder)
        # Experiments of one set may run as different users.
        os.chmod(folder, 0o777)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    temporary = os.path.join(folder, ".{0}.{1}".format(name, os.getpid()))
    with open(temporary, "w") as file:
        file.write(text)
    os.rename(temporary, path)
