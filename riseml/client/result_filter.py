"""Filter of results: `accuracy > 0.9 and (opt = adam or not lr < 0.1)`.

    filter      := conjunction ("or" conjunction)*
    conjunction := negation ("and" negation)*
    negation    := "not" negation | "(" filter ")" | comparison
    comparison  := name (operator value)?          a name alone: there is a value
    operator    := < <= > >= = == != ~             ~ asks whether a text contains another one

A name is a word, or any text in quotes. A value is a number, a word, or any text in quotes.
A missing value fulfils no comparison, also not `!=`. Nothing is executed but this.
"""

import operator
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from riseml.client.result_fields import ResultColumn, ResultColumns, Row
from riseml.errors import InvalidInputError

Predicate = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<symbol><=|>=|==|!=|[<>=~()])
    |"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'
    |(?P<word>[^\s<>=!~()"']+)|(?P<other>\S))""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_WORDS = frozenset({"and", "or", "not"})
_SIGNS = frozenset({*_COMPARISONS, *"~()!\"'", ""})
_MAX_DEPTH = 50
_EXAMPLE = (
    "Write for example 'accuracy > 0.9 and lr < 0.1', or 'state = FAILED or not loss'."
)


class _Token(NamedTuple):
    """A part of a filter: its text, where it starts, and whether it was quoted."""

    text: str
    start: int
    end: int
    is_quoted: bool = False

    def is_word(self, text: str) -> bool:
        """Return whether it is this word or sign, in any case of its letters."""
        return not self.is_quoted and self.text.lower() == text


def parse(text: str, columns: ResultColumns) -> Predicate:
    """Return whether a row fulfils a filter, as a function.

    Raises:
        InvalidInputError: the text is not a filter, or names an unknown value.
    """
    parser = _Parser(text, columns)
    predicate = parser.disjunction()
    if parser.token.text or parser.token.is_quoted:
        raise parser.error("'and' or 'or' is missing before this")
    return predicate


class _Parser:
    """A filter that is being read; `token` is the next part, empty at the end."""

    def __init__(self, text: str, columns: ResultColumns) -> None:
        self._text, self._columns = text, columns
        self._tokens = self._read()
        self._depth = 0
        self.token = next(self._tokens)

    def disjunction(self) -> Predicate:
        """Read a filter."""
        predicates = [self._conjunction()]
        while self._accept("or"):
            predicates.append(self._conjunction())
        return lambda row: any(predicate(row) for predicate in predicates)

    def error(self, message: str, advice: str = _EXAMPLE) -> InvalidInputError:
        """Return an error about the next part."""
        start, end = self.token.start, max(self.token.end, self.token.start + 1)
        marks = " " * start + "^" * (end - start)
        return InvalidInputError(
            f"the filter cannot be read: {message}",
            f"  {self._text}\n  {marks}\n{advice}",
        )

    def _conjunction(self) -> Predicate:
        predicates = [self._negation()]
        while self._accept("and"):
            predicates.append(self._negation())
        return lambda row: all(predicate(row) for predicate in predicates)

    def _negation(self) -> Predicate:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self.error("it is nested too deeply")
        if self._accept("not"):
            negated = self._negation()
            predicate: Predicate = lambda row: not negated(row)  # noqa: E731
        elif self._accept("("):
            predicate = self.disjunction()
            if not self._accept(")"):
                raise self.error("a ')' is missing here")
        else:
            predicate = self._comparison()
        self._depth -= 1
        return predicate

    def _comparison(self) -> Predicate:
        column = self._column()
        sign = self.token.text
        if self.token.is_quoted or (sign not in _COMPARISONS and sign != "~"):
            return lambda row: column.value(row) not in (None, "")
        self._advance()
        value = self._operand("a value is missing here")
        self._advance()
        if sign == "~":
            searched = value.text.lower()
            return lambda row: searched in _text(column.value(row)).lower()
        return _compare(column, _COMPARISONS[sign], value)

    def _column(self) -> ResultColumn:
        name = self._operand("a name is missing here")
        column = self._columns.find(name.text)
        if column is None:
            raise self.error(
                f"no result or parameter is called '{name.text}'",
                f"Names are {', '.join(self._columns.names)}.",
            )
        self._advance()
        return column

    def _operand(self, message: str) -> _Token:
        token = self.token
        is_sign = token.text in _SIGNS
        if not token.is_quoted and (is_sign or token.text.lower() in _WORDS):
            raise self.error(message)
        return token

    def _accept(self, text: str) -> bool:
        is_next = self.token.is_word(text)
        if is_next:
            self._advance()
        return is_next

    def _advance(self) -> None:
        self.token = next(self._tokens)

    def _read(self) -> Iterator[_Token]:
        for match in _TOKEN.finditer(self._text):
            kind = match.lastgroup or ""
            text = match[kind]
            is_quoted = kind in {"double", "single"}
            if is_quoted:
                text = _ESCAPE.sub(r"\1", text)
            start = match.end() - len(match[0].lstrip())
            yield _Token(text, start, match.end(), is_quoted)
        end = len(self._text)
        while True:
            yield _Token("", end, end)


def _compare(
    column: ResultColumn, compare: Callable[[Any, Any], bool], value: _Token
) -> Predicate:
    """Return a comparison: of numbers or times if both are, else of texts."""
    if column.is_time:
        return partial(_is_time, column, compare, _time(value.text))
    number = None if value.is_quoted else _number(value.text)
    text = value.text.upper() if column.title == "state" else value.text
    return partial(_is_fulfilled, column, compare, number, text)


def _is_fulfilled(
    column: ResultColumn,
    compare: Callable[[Any, Any], bool],
    number: float | None,
    text: str,
    row: Row,
) -> bool:
    actual = column.value(row)
    actual_number = _number(actual)
    has_number = actual_number is not None
    if number is not None and has_number:
        return compare(actual_number, number)
    # Numbers and texts have no order.
    is_ordered = compare not in {operator.eq, operator.ne}
    if actual is None or (is_ordered and has_number is (number is None)):
        return False
    return compare(_text(actual), text)


def _is_time(
    column: ResultColumn,
    compare: Callable[[Any, Any], bool],
    time: datetime,
    row: Row,
) -> bool:
    actual = column.value(row)
    return actual is not None and compare(actual, time)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _time(text: str) -> datetime:
    try:
        # A time without a zone is local.
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise InvalidInputError(
            f"'{text}' is not a point in time", "Write for example 2018-01-31T10:20."
        ) from None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
