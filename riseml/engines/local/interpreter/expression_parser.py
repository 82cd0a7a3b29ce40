"""Parser for what the languages of `expressions` share: logic, comparisons, types."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NamedTuple

Scope = Mapping[str, Any]
"""Values of names by path: `tasks.worker-1.status`, `build.Succeeded`."""

Evaluate = Callable[[Scope], Any]

# An alias, because `type` means a field inside the class that has one.
MaybeType = type | None


class ExpressionError(Exception):
    """The local engine cannot parse or evaluate an expression; the text says why."""


class Operand(NamedTuple):
    """A parsed piece of an expression.

    `type` is `str`, `float`, `bool` or `list`, None if it is known only when evaluated.
    """

    evaluate: Evaluate
    type: MaybeType = None
    constant: Any = None


class Grammar:
    """Recursive descent over `||`, `&&`, `!`, parentheses and one comparison.

    A language adds its tokens and values.
    """

    tokens: ClassVar[re.Pattern[str]]
    comparisons: ClassVar[Mapping[str, "Comparison"]] = {}
    # Alternative spellings of tokens.
    aliases: ClassVar[Mapping[str, str]] = {}

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.names = set[str]()
        self.word: str | None = None
        self.next()

    def error(self, reason: str) -> ExpressionError:
        """Return the error for a fault in the text."""
        return ExpressionError(f"'{self.text}': {reason}")

    def next(self) -> str:
        """Read the next word, and return the one before it."""
        previous = self.word or ""
        remaining = self.text[self.position :].lstrip()
        self.position = len(self.text) - len(remaining)
        if not remaining:
            self.word = None
            return previous
        match = self.tokens.match(self.text, self.position)
        if match is None:
            raise self.error(f"cannot read {remaining[:20]!r}")
        self.position = match.end()
        self.word = self.aliases.get(match[0], match[0])
        return previous

    def accept(self, word: str) -> bool:
        """Read past `word` if it is the current one."""
        if self.word != word:
            return False
        self.next()
        return True

    def expect(self, word: str) -> None:
        """Read past `word`, which must be the current one."""
        if not self.accept(word):
            raise self.error(f"expected {word!r}, not {self.word or 'the end'!r}")

    def parse_or(self) -> Operand:
        """Parse conditions joined by `||`."""
        left_operand = self.parse_and()
        while self.accept("||"):
            left_operand = _or(self, left_operand, self.parse_and())
        return left_operand

    def parse_and(self) -> Operand:
        """Parse conditions joined by `&&`."""
        left_operand = self.parse_comparison()
        while self.accept("&&"):
            left_operand = _and(self, left_operand, self.parse_comparison())
        return left_operand

    def parse_comparison(self) -> Operand:
        """Parse one comparison, or a single value."""
        left_operand = self.parse_not()
        if self.word not in self.comparisons:
            return left_operand
        symbol = self.next()
        result = _compare(self, symbol, left_operand, self.parse_not())
        if self.word in self.comparisons:
            raise self.error(f"two comparisons in a row, at {self.word!r}")
        return result

    def parse_not(self) -> Operand:
        """Parse a value with any number of `!` in front."""
        if not self.accept("!"):
            return self.parse_operand()
        operand = self.parse_not()
        _require_type(self, "!", operand, bool)
        evaluate = operand.evaluate
        return Operand(lambda scope: not evaluate(scope), bool)

    def parse_operand(self) -> Operand:
        """Parse a value, or an expression in parentheses."""
        if self.accept("("):
            operand = self.parse_or()
            self.expect(")")
            return operand
        if self.word is None:
            raise self.error("it ends too early")
        return self.parse_value(self.next())

    def parse_value(self, word: str) -> Operand:
        """Parse the value that begins with `word`, which has been read."""
        raise NotImplementedError


_TYPE_NAMES: Final = {
    str: "text",
    float: "a number",
    bool: "a truth value",
    list: "a list",
}


def _require_type(
    grammar: Grammar, symbol: str, operand: Operand, *types: type
) -> None:
    if operand.type is not None and operand.type not in types:
        raise grammar.error(f"{symbol} cannot take {_TYPE_NAMES[operand.type]}")


def _or(grammar: Grammar, left_operand: Operand, right_operand: Operand) -> Operand:
    _require_type(grammar, "||", left_operand, bool)
    _require_type(grammar, "||", right_operand, bool)
    # A local is faster to reach than an attribute, and `when` is evaluated for every
    # item.
    evaluate_left_operand = left_operand.evaluate
    evaluate_right_operand = right_operand.evaluate
    return Operand(
        lambda scope: evaluate_left_operand(scope) or evaluate_right_operand(scope),
        bool,
    )


def _and(grammar: Grammar, left_operand: Operand, right_operand: Operand) -> Operand:
    _require_type(grammar, "&&", left_operand, bool)
    _require_type(grammar, "&&", right_operand, bool)
    evaluate_left_operand = left_operand.evaluate
    evaluate_right_operand = right_operand.evaluate
    return Operand(
        lambda scope: evaluate_left_operand(scope) and evaluate_right_operand(scope),
        bool,
    )


class Comparison(NamedTuple):
    """What a symbol computes, and which types its sides may have.

    `same_type` requires both sides to have the same type; `pattern` means that the
    right side is a regular expression.
    """

    compute: Callable[[Any, Any], bool]
    left_types: tuple[type, ...]
    right_types: tuple[type, ...]
    same_type: bool = True
    pattern: bool = False


def _compare(
    grammar: Grammar, symbol: str, left_operand: Operand, right_operand: Operand
) -> Operand:
    comparison = grammar.comparisons[symbol]
    _require_type(grammar, symbol, left_operand, *comparison.left_types)
    _require_type(grammar, symbol, right_operand, *comparison.right_types)
    if comparison.same_type and left_operand.type and right_operand.type:
        _require_same_type(grammar, symbol, left_operand.type, right_operand.type)
    if comparison.pattern and isinstance(right_operand.constant, str):
        # This raises the error of a wrong pattern before the document runs.
        _compile_pattern(right_operand.constant)
    compute = comparison.compute
    evaluate_left_operand = left_operand.evaluate
    evaluate_right_operand = right_operand.evaluate
    return Operand(
        lambda scope: compute(
            evaluate_left_operand(scope), evaluate_right_operand(scope)
        ),
        bool,
    )


def _require_same_type(
    grammar: Grammar, symbol: str, left_type: type, right_type: type
) -> None:
    if left_type is not right_type:
        raise grammar.error(
            f"{symbol} cannot compare {_TYPE_NAMES[left_type]} with {_TYPE_NAMES[right_type]}"
        )


def search(text: str, pattern: str) -> bool:
    """Tell whether the pattern matches anywhere in the text."""
    return _compile_pattern(pattern).search(text) is not None


# Lookarounds, references to groups, atomic and possessive forms, and class names that
# Go's engine and Python's do not share.
_NOT_PORTABLE: Final = re.compile(
    r"\[:|\(\?[^:imsP]|\(\?P[=>]|(?<!\\)(?:\\\\)*\\[1-9Z]|[*+?}]\+|\\[pPQC]"
)


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern that means the same to Go's engine and to Python's.

    Raises:
        ExpressionError: the pattern is wrong, or the engines differ.
    """
    if _NOT_PORTABLE.search(pattern):
        raise ExpressionError(
            f"the pattern '{pattern}' uses syntax that Argo's patterns do not have"
        )
    try:
        return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
    except re.error as error:
        raise ExpressionError(f"the pattern '{pattern}' is wrong: {error}") from None


SCALARS: Final = (str, float, bool)
_ORDERED: Final = (str, float)
ORDER_COMPARISONS: Final = {
    "<": Comparison(operator.lt, _ORDERED, _ORDERED),
    "<=": Comparison(operator.le, _ORDERED, _ORDERED),
    ">": Comparison(operator.gt, _ORDERED, _ORDERED),
    ">=": Comparison(operator.ge, _ORDERED, _ORDERED),
}
