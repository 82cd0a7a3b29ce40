"""What the languages of `expressions` share: logic, comparisons, and the check of types while parsing."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NamedTuple

Scope = Mapping[str, Any]
"""What names mean, under their dotted path: `tasks.worker-1.status`, `lastRetry.exitCode`, `build.Succeeded`."""

Evaluate = Callable[[Scope], Any]
MaybeType = (
    type | None
)  # an alias: within a class that has a field called `type`, the name means the field


class ExpressionError(Exception):
    """The text is no expression that the local engine understands, or it cannot be evaluated; says why."""


class Part(NamedTuple):
    """A parsed piece: how to evaluate it, and its type where that is known (`str`, `float`, `bool`, `list`)."""

    evaluate: Evaluate
    type: MaybeType = None
    constant: Any = None


class Grammar:
    """Recursive descent over `||`, `&&`, `!`, parentheses and one comparison; a language adds its tokens and values."""

    tokens: ClassVar[re.Pattern[str]]
    comparisons: ClassVar[Mapping[str, "Comparison"]] = {}
    # Other spellings of tokens
    words: ClassVar[Mapping[str, str]] = {}

    def __init__(self, text: str) -> None:
        self.text, self.position, self.names = text, 0, set[str]()
        self.word: str | None = None
        self.next()

    def error(self, why: str) -> ExpressionError:
        """Return the error that says what is wrong with the text."""
        return ExpressionError(f"'{self.text}': {why}")

    def next(self) -> str:
        """Step over the current word and return it."""
        passed = self.word or ""
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1
        if self.position == len(self.text):
            self.word = None
            return passed
        match = self.tokens.match(self.text, self.position)
        if match is None:
            raise self.error(f"cannot read {self.text[self.position :][:20]!r}")
        self.position, word = match.end(), match[0]
        self.word = self.words.get(word, word)
        return passed

    def take(self, word: str) -> bool:
        """Step over `word` if it comes now."""
        if self.word != word:
            return False
        self.next()
        return True

    def expect(self, word: str) -> None:
        """Step over `word`, which must come now."""
        if not self.take(word):
            raise self.error(f"expected {word!r}, not {self.word or 'the end'!r}")

    def either(self) -> Part:
        """Parse alternatives, joined by `||`."""
        part = self.both()
        while self.take("||"):
            part = _logical(self, "||", part, self.both())
        return part

    def both(self) -> Part:
        """Parse conditions, joined by `&&`."""
        part = self.comparison()
        while self.take("&&"):
            part = _logical(self, "&&", part, self.comparison())
        return part

    def comparison(self) -> Part:
        """Parse one comparison, or a value alone."""
        left = self.prefixed()
        if self.word not in self.comparisons:
            return left
        symbol = self.next()
        part = _compared(self, symbol, left, self.prefixed())
        if self.word in self.comparisons:
            raise self.error(f"two comparisons in a row, at {self.word!r}")
        return part

    def prefixed(self) -> Part:
        """Parse a value with any number of `!` before it."""
        if not self.take("!"):
            return self.operand()
        part = self.prefixed()
        _require(self, "!", part, bool)
        evaluate = part.evaluate
        return Part(lambda scope: not evaluate(scope), bool)

    def operand(self) -> Part:
        """Parse a value or something in parentheses."""
        if self.take("("):
            part = self.either()
            self.expect(")")
            return part
        if self.word is None:
            raise self.error("it ends too early")
        return self.value(self.next())

    def value(self, word: str) -> Part:
        """Parse the value that begins with `word`, which was stepped over."""
        raise NotImplementedError


def _require(grammar: Grammar, symbol: str, part: Part, *types: type) -> None:
    if part.type is not None and part.type not in types:
        raise grammar.error(f"{symbol} cannot take {_ARTICLES[part.type]}")


_ARTICLES: Final = {
    str: "text",
    float: "a number",
    bool: "a truth value",
    list: "a list",
}


def _logical(grammar: Grammar, symbol: str, left: Part, right: Part) -> Part:
    for part in (left, right):
        _require(grammar, symbol, part, bool)
    a, b = left.evaluate, right.evaluate
    if symbol == "||":
        return Part(lambda scope: a(scope) or b(scope), bool)
    return Part(lambda scope: a(scope) and b(scope), bool)


class Comparison(NamedTuple):
    """What a symbol computes, and the types that its sides may have; `alike`: both the same one."""

    compute: Callable[[Any, Any], bool]
    left: tuple[type, ...]
    right: tuple[type, ...]
    alike: bool = True
    pattern: bool = False


def _compared(grammar: Grammar, symbol: str, left: Part, right: Part) -> Part:
    how = grammar.comparisons[symbol]
    _require(grammar, symbol, left, *how.left)
    _require(grammar, symbol, right, *how.right)
    if how.alike and left.type and right.type and left.type is not right.type:
        raise grammar.error(
            f"{symbol} cannot compare {_ARTICLES[left.type]} with {_ARTICLES[right.type]}"
        )
    if how.pattern and isinstance(right.constant, str):
        _regex(right.constant)
    a, b = left.evaluate, right.evaluate
    return Part(lambda scope: how.compute(a(scope), b(scope)), bool)


def search(text: str, pattern: str) -> bool:
    """Tell whether the pattern is found anywhere in the text."""
    return _regex(pattern).search(text) is not None


def _regex(pattern: str) -> re.Pattern[str]:
    """Compile a pattern that means the same to Go's engine and to Python's.

    Raises:
        ExpressionError: it is none.
    """
    if _ONLY_PYTHON.search(pattern):
        raise ExpressionError(
            f"the pattern '{pattern}' has what Argo's patterns do not have"
        )
    try:
        return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
    except re.error as error:
        raise ExpressionError(f"the pattern '{pattern}' is wrong: {error}") from None


_ONLY_PYTHON: Final = re.compile(
    r"\(\?[^:imsP]|\(\?P[=>]|(?<!\\)(?:\\\\)*\\[1-9Z]|[*+?}]\+|\\[pPQC]"
)
SCALARS: Final = (str, float, bool)
ORDER: Final = {
    symbol: Comparison(compute, (str, float), (str, float))
    for symbol, compute in {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }.items()
}
