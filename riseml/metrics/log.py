"""Log reader: values in lines such as `val_loss=0.3`, in progress bars, and by the user's patterns.

A value stands behind its name: `loss=0.3`, `loss: 0.3`, `loss 0.3`, `"loss": 0.3`, `| loss | 0.3 |`,
`loss: tensor(0.3)`. A name that is a part of another word does not count: `val_loss` is not `loss`.
Of the ways to write a name, the first one counts that a log has:

1. as it is written in riseml.yml;
2. with other capitals and separators: `Val Loss`, `val-loss` and `validation/loss` are `val_loss`;
3. after another word, `train loss` or `valid_0's loss`, if the log has only one such word; of data
   sets, `valid_0's` or `validation-`, only those count that are not for training.

A carriage return or a backspace ends a state of a progress bar. Programs erase a state with
backspaces while an epoch runs, so it can be the last value, but never the best.
"""

import math
import re
from collections.abc import Iterator, Sequence

from riseml.metric import Metric
from riseml.metrics import numbers
from riseml.metrics.reader import READ_BYTES, FileReader
from riseml.metrics.series import Series

_BREAK = re.compile(r"[\n\r\x08]")
# Colors, and other sequences that move the cursor.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_BEHIND_NAME = (
    # A unit, as in `acc (%)`, after the closing quote of a key.
    r"""["']?(?:[ ]?[(\[][^)\]\d\n\r\x08]{0,12}[)\]])?"""
    r"(?:[ \t]*(?:=>|->|[:=|])[ \t]*|[ \t]+(?:(?:is|was|of)[ \t]+)?)"
    # Calls, and lists of one number: `tensor(0.3)`, `np.float64(0.3)`, `[0.3]`.
    r"""["']?(?:[A-Za-z_][\w.]{0,30}\()?(?:\[[ ]*(?=[^],\n\r\x08]*\]))?"""
    rf"({numbers.NUMBER})"
)
_WORD_BEFORE = re.compile(
    r"""[^\w']*((?:train|val|valid|validat|test|eval|evaluat|dev|best)(?:ing|ion)?|\w+'s)""",
    re.IGNORECASE,
)
_WORD_AT_END = re.compile(r"[\w@]+\Z")
_VALIDATION = "val(?:id(?:ation)?)?"
_BEFORE_CHARACTERS = 32
_IN_WORD = re.compile(r"\w")
_JOINERS = frozenset("-/.")
_BLANKS = frozenset(" \t")
_STEP_CHARACTERS = 400
_STEP = re.compile(
    r"""^[ \t]*\[(\d+)\]|\b(?:global_step|step|iter|iteration|epoch)s?["']?[ \t:=]*\[?(\d+(?:\.\d+)?)""",
    re.IGNORECASE,
)
# `valid_0's` of LightGBM and `validation-` of XGBoost, but not `training's` and `train-`.
_IS_HELD_OUT_SET = re.compile(r".*:(?!train)[^:]*(?:'s|-)").fullmatch
_EXACT, _SIMILAR, _QUALIFIED, _PATTERN = "exact", "similar", "qualified", "pattern"

Values = list[tuple[float, int]]
"""Values, each with its position in a block of text."""

Points = dict[str, Values]
"""The same by the keys of series."""


class LogReader(FileReader):
    """Reader of one log; `series` has a key for each name and way to write it."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        super().__init__(bool)
        self.metrics = metrics

    def consume(self, data: bytes, *, is_end: bool = False) -> int:
        """Read the complete lines of what follows in the log; return their length in bytes.

        At the end of the log, a last line without a line break is complete.
        """
        end = len(data)
        if not is_end:
            end = _end_of_lines(data)
        text = data[:end].decode("utf-8", "replace")
        text = _ESCAPE.sub("", text)
        points: Points = {}
        for metric in self.metrics:
            if metric.pattern:
                _read_pattern(metric, text, points)
            else:
                self._read_names(metric.name, text, points)
        for key, values in points.items():
            series = self.series.setdefault(key, self.new_series())
            self.extend(series, values, text)
        return end

    def extend(self, series: Series, values: Values, text: str) -> None:
        """Add the values of a block of text; only those that are kept need their steps."""
        final = list(filter(_is_finite, values))
        if "\b" in text:
            final = [point for point in final if not is_erased(text, point[1])]
        if final:
            for value, position in (min(final), max(final, key=_value)):
                series.add(value, step_at(text, position))
        value, position = values[-1]
        series.last = (value, step_at(text, position))

    def choose(self, metric: Metric) -> Series | None:
        """Return the values of a metric, None if the log has none."""
        for variant in (_PATTERN, _EXACT, _SIMILAR):
            series = self.series.get(_key(metric.name, variant))
            if series is not None:
                return series
        prefix = _key(metric.name, _QUALIFIED)
        keys = [key for key in self.series if key.startswith(prefix)]
        if len(keys) > 1:
            # Boosting prints a metric of all data sets; that of the training data is no measure.
            keys = list(filter(_IS_HELD_OUT_SET, keys))
        if len(keys) != 1:
            return None
        return self.series[keys[0]]

    def _read_names(self, name: str, text: str, points: Points) -> None:
        exact = _expression(re.escape(name))
        _add_matches(name, _EXACT, exact.finditer(text), points)
        # Other spellings count only in logs that do not have this one.
        key = _key(name, _EXACT)
        if key in self.series or key in points:
            return
        similar = similar_names(name)
        if similar:
            expression = _expression(similar, re.IGNORECASE)
            _add_matches(name, _SIMILAR, expression.finditer(text), points)


def _add_matches(
    name: str, variant: str, matches: Iterator[re.Match[str]], points: Points
) -> None:
    unqualified = _key(name, variant)
    for match in matches:
        start = match.start()
        preceding = match.string[max(0, start - _BEFORE_CHARACTERS) : start]
        qualifier = _qualifier(preceding)
        if qualifier is None:
            continue
        key = unqualified
        if qualifier:
            key = _key(name, _QUALIFIED, qualifier)
        _add(points, key, match[1], match.start(1))


def _read_pattern(metric: Metric, text: str, points: Points) -> None:
    expression = re.compile(metric.pattern)
    key = _key(metric.name, _PATTERN)
    for start, line in _lines(text):
        for match in expression.finditer(line):
            if match[1] is not None:
                _add(points, key, match[1], start + match.start(1))


def _add(points: Points, key: str, number: str, position: int) -> None:
    value = numbers.parse(number)
    if value is not None:
        points.setdefault(key, []).append((value, position))


def _is_finite(point: tuple[float, int]) -> bool:
    return math.isfinite(point[0])


def _value(point: tuple[float, int]) -> float:
    return point[0]


def is_erased(text: str, position: int) -> bool:
    """Return whether a value at a position was erased by backspaces."""
    line_break = _BREAK.search(text, position)
    return line_break is not None and line_break[0] == "\b"


def similar_names(name: str) -> str:
    """Return a pattern of the spellings that differ in separators, empty for a name without words."""
    words = re.findall(r"[^\W_]+", name)
    # Words of letters and digits need no escapes.
    spelled = r"[ _/.-]?".join(words)
    return re.sub(
        r"(?i)(?<![^\W_])val(?:id(?:ation)?)?(?![^\W_])", _VALIDATION, spelled
    )


def _end_of_lines(data: bytes) -> int:
    line_feed, carriage_return = data.rfind(b"\n"), data.rfind(b"\r")
    end = max(line_feed, carriage_return, data.rfind(b"\b")) + 1
    if not end and len(data) >= READ_BYTES:
        # A line without an end is read in pieces.
        return len(data)
    return end


def _expression(name: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(name + _BEHIND_NAME, flags)


def _key(name: str, variant: str, qualifier: str = "") -> str:
    return f"{variant}:{name}:{qualifier}"


def _qualifier(preceding: str) -> str | None:
    """Return the word that belongs to a name, given the text before it; empty if none does.

    None means that the name is a part of another word.
    """
    last = preceding[-1:]
    if _IN_WORD.match(last):
        return None
    if last in _JOINERS:
        word = _WORD_AT_END.search(preceding[:-1])
        if word is None:
            # `--loss 0.3` is an option of a command.
            return None
        return word[0].lower() + last
    words = preceding.rstrip(" \t").split()
    match = _WORD_BEFORE.fullmatch(words[-1] if words else "")
    if match is None or last not in _BLANKS:
        return ""
    return match[1].lower()


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line_break in _BREAK.finditer(text):
        yield start, text[start : line_break.start()]
        start = line_break.end()
    yield start, text[start:]


def step_at(text: str, position: int) -> float | None:
    """Return the step or epoch that the line of a value names."""
    start = max(0, position - _STEP_CHARACTERS)
    for character in "\n\r\b":
        start = max(start, text.rfind(character, start, position) + 1)
    line_break = _BREAK.search(text, position)
    end = line_break.start() if line_break else len(text)
    match = _STEP.search(text[start:end])
    if match is None:
        return None
    step = match[match.lastindex or 0]
    return float(step)
