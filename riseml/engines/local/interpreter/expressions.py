"""Expression languages of a Workflow, as far as the local engine supports them.

    condition   `when`                     '{{item.lr}}' != '0.1' || x =~ '^y'
    expression  hooks, retryStrategy       asInt(lastRetry.exitCode) > 1
    dependency  `depends`                  build.Succeeded && !check.Failed

Each text is parsed once into an `Expression`. Parsing raises ExpressionError for
everything that is not supported, so that a document is refused before it runs. That
includes comparisons of a number with text, which Argo refuses as well.
"""

import operator
import re
from calendar import timegm
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple

from riseml.engines.local.interpreter.expression_functions import FUNCTIONS
from riseml.engines.local.interpreter.expression_parser import (
    ORDER_COMPARISONS,
    SCALARS,
    Comparison,
    Evaluate,
    ExpressionError,
    Grammar,
    Operand,
    Scope,
    search,
)

__all__ = [
    "RESULTS",
    "Expression",
    "ExpressionError",
    "Scope",
    "condition",
    "dependency",
    "expression",
]

TAG: Final = "tag__of__argo"
"""Stands for a tag while a document is validated: its type is not known yet."""

RESULTS: Final = frozenset(
    {
        "Succeeded",
        "Failed",
        "Errored",
        "Skipped",
        "Omitted",
        "Daemoned",
        "AnySucceeded",
        "AllFailed",
    }
)
"""The results of a task that `depends` can refer to."""

# A task without a result in `depends` means any of these.
_GOOD_RESULTS: Final = ("Succeeded", "Skipped", "Daemoned")


class Expression(NamedTuple):
    """A parsed text that is true or false; `names` are the paths that it reads."""

    text: str
    names: frozenset[str]
    evaluate: Evaluate

    def __call__(self, scope: Scope) -> bool:
        """Evaluate with these values.

        Raises:
            ExpressionError: a name has no value, or a value has the wrong type.
        """
        try:
            result = self.evaluate(scope)
        except TypeError:
            message = f"'{self.text}': a value is missing"
            raise ExpressionError(message) from None
        if not isinstance(result, bool):
            raise ExpressionError(
                f"'{self.text}' is neither true nor false, but {result!r}"
            )
        return result


# An item that waits for a slot is examined again at each end of another one.
@lru_cache(maxsize=16)
def condition(text: str) -> Expression:
    """Parse a `when` whose tags are replaced.

    Words without quotes are text, dates are numbers.

    Raises:
        ExpressionError: it cannot be parsed.
    """
    return _parse(text, _ConditionGrammar)


def expression(text: str) -> Expression:
    """Parse the expression of a hook or of a retryStrategy.

    Raises:
        ExpressionError: it cannot be parsed.
    """
    return _parse(text, _ExpressionGrammar)


def dependency(text: str) -> Expression:
    """Parse a `depends`, whose names are `task.Result`.

    A task without a result means Succeeded, Skipped or Daemoned.

    Raises:
        ExpressionError: it cannot be parsed.
    """
    return _parse(text, _DependencyGrammar)


def _parse(text: str, grammar: type[Grammar]) -> Expression:
    parser = grammar(text)
    result = parser.parse_or()
    if parser.word is not None:
        raise parser.error(f"unexpected {parser.word!r}")
    if result.type not in (bool, None):
        raise parser.error("it is neither true nor false")
    return Expression(text, frozenset(parser.names), result.evaluate)


# Values that several languages have


def _constant(value: str | float | bool) -> Operand:
    # Whole numbers have the type of all numbers.
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return Operand(lambda _: value, float if is_whole else type(value), value)


class _ValueGrammar(Grammar):
    """A language with text in quotes, truth values, numbers and tags."""

    def parse_value(self, word: str) -> Operand:
        if word[0] in "'\"":
            return self.parse_quoted(word[1:-1])
        if word in _WORD_OPERANDS:
            return _WORD_OPERANDS[word]
        following = self.word or ""
        if word == "-" and following[:1].isdigit():
            return _constant(-self.number(self.next()))
        if word[0].isdigit():
            return _constant(self.number(word))
        return self.parse_word(word)

    def number(self, word: str) -> float:
        """Return the number that a word means."""
        try:
            if word.startswith("0x"):
                return float(int(word, 16))
            return float(word)
        except ValueError:
            raise self.error(f"{word!r} is not a number") from None

    def parse_quoted(self, text: str) -> Operand:
        """Parse text that stood in quotes."""
        raise NotImplementedError

    def parse_word(self, word: str) -> Operand:
        """Parse a value that begins with a word of this language only."""
        raise NotImplementedError


def _fail_for_tag(_: Scope) -> Any:
    raise ExpressionError("a tag was not replaced")


_WORD_OPERANDS: Final = {
    "true": _constant(True),
    "false": _constant(False),
    TAG: Operand(_fail_for_tag),
}


# `when`


def _is_equal(first: object, second: object) -> bool:
    # Python would compare numbers with truth values, these languages do not.
    are_truth_values = isinstance(first, bool), isinstance(second, bool)
    return are_truth_values[0] is are_truth_values[1] and first == second


def _is_unequal(first: object, second: object) -> bool:
    return not _is_equal(first, second)


def _does_not_match(text: str, pattern: str) -> bool:
    return not search(text, pattern)


class _ConditionGrammar(_ValueGrammar):
    """Govaluate's language, in which Argo turns every variable into text."""

    # Any quote ends any string, and a backslash before any character stands for that
    # character.
    tokens = re.compile(
        r"""['"](?:\\.|[^'"\\])*['"] | 0x[0-9a-fA-F]+ | [\d.]+ | [^\W\d_][\w.]* | [()] | [^\s\w()\[\]'"]+""",
        re.VERBOSE | re.DOTALL,
    )
    comparisons: ClassVar = {
        "==": Comparison(_is_equal, SCALARS, SCALARS, same_type=False),
        "!=": Comparison(_is_unequal, SCALARS, SCALARS, same_type=False),
        "=~": Comparison(search, (str,), (str,), pattern=True),
        "!~": Comparison(_does_not_match, (str,), (str,), pattern=True),
        **ORDER_COMPARISONS,
    }

    def parse_not(self) -> Operand:
        """Parse a value with at most one `!` in front."""
        following = self.text[self.position :].lstrip()
        if self.word == "!" and following.startswith("!"):
            raise self.error("Argo cannot read two ! in a row")
        return super().parse_not()

    def parse_quoted(self, text: str) -> Operand:
        text = re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
        unix_time = _parse_date(text)
        if unix_time is not None:
            return _constant(unix_time)
        return _constant(text)

    def parse_word(self, word: str) -> Operand:
        if word[0] == ".":
            return _constant(self.number(word))
        is_single_word = word[0].isalpha() and "." not in word
        # Argo's `in` takes a list, which this language does not have here.
        if is_single_word and word.lower() != "in":
            return _constant(word)
        raise self.error(
            f"cannot use {word!r} here (text other than single words needs quotes)"
        )


_DATE: Final = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?"
)


def _parse_date(text: str) -> float | None:
    """Return the Unix seconds of a date, None for text that is not a date."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return float(timegm(datetime.fromisoformat(text).utctimetuple()))
    except ValueError:
        return None


# Hooks and retryStrategy


def _is_in(value: object, values: list[object]) -> bool:
    types = set(map(type, values))
    if types == {str} and not isinstance(value, str):
        raise TypeError("Argo looks only for texts among texts")
    return any(_is_equal(value, candidate) for candidate in values)


class _ExpressionGrammar(_ValueGrammar):
    """The part of the expr language that Argo's documents use; variables are text."""

    tokens = re.compile(
        r"""["](?:\\.|[^"\\\n])*["] | ['](?:\\.|[^'\\\n])*['] | \d+(?:\.\d+)?(?:[eE][+-]?\d+)?
        | [A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\s*(?:"[^"\\\n]*"|'[^'\\\n]*')\s*\])*
        | == | != | <= | >= | && | [|]{2} | [<>!()\[\],-]""",
        re.VERBOSE,
    )
    aliases: ClassVar = {"and": "&&", "or": "||", "not": "!"}
    comparisons: ClassVar = {
        "==": Comparison(_is_equal, SCALARS, SCALARS),
        "!=": Comparison(_is_unequal, SCALARS, SCALARS),
        "contains": Comparison(operator.contains, (str,), (str,)),
        "startsWith": Comparison(str.startswith, (str,), (str,)),
        "endsWith": Comparison(str.endswith, (str,), (str,)),
        "matches": Comparison(search, (str,), (str,), pattern=True),
        "in": Comparison(_is_in, SCALARS, (list,), same_type=False),
        **ORDER_COMPARISONS,
    }

    def number(self, word: str) -> float:
        # Whole numbers are exact, and have a text of their own.
        return int(word) if word.isdecimal() else super().number(word)

    def parse_quoted(self, text: str) -> Operand:
        return _constant(_unescape(self, text))

    def parse_word(self, word: str) -> Operand:
        if word == "[":
            return self._parse_list()
        is_name = word[0].isalpha() or word[0] == "_"
        # These words have the form of a name.
        is_reserved = word in self.comparisons or word == "nil"
        if not is_name or is_reserved:
            raise self.error(f"cannot use {word!r} here")
        if self.accept("("):
            return self._parse_call(word)
        return self._parse_name(word)

    def _parse_name(self, word: str) -> Operand:
        if _DOTTED_STEP.search(word):
            raise self.error(f"Argo finds no value for {word}, since it has a dot")
        steps = [match[1] or match[2] for match in _STEP.finditer(word)]
        path = ".".join(steps)
        self.names.add(path)

        # A value that is missing is equal to no other.
        def evaluate(scope: Scope) -> Any:
            return scope.get(path)

        return Operand(evaluate, str)

    def _parse_call(self, function: str) -> Operand:
        if function not in FUNCTIONS:
            raise self.error(f"the function {function} is not known")
        argument = self.parse_or()
        self.expect(")")
        convert, result_type = FUNCTIONS[function]
        evaluate_argument = argument.evaluate

        def evaluate(scope: Scope) -> Any:
            value = evaluate_argument(scope)
            try:
                return convert(value)
            except (TypeError, ValueError):
                raise ExpressionError(
                    f"'{self.text}': {function} cannot take {value!r}"
                ) from None

        return Operand(evaluate, result_type)

    def _parse_list(self) -> Operand:
        values: list[Any] = []
        while not self.accept("]"):
            if values:
                self.expect(",")
            item = self.parse_operand()
            if item.constant is None:
                raise self.error("a list may hold constants only")
            values.append(item.constant)
        return Operand(lambda _: values, list)


_DOTTED_STEP: Final = re.compile(r"""\[[^\]]*\.[^\]]*\]""")
_STEP: Final = re.compile(r"""(?:^|\.)(\w+)|\[\s*["']([^"']*)["']\s*\]""")


_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def _unescape(grammar: Grammar, text: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise grammar.error(f"unknown escape \\{match[1]}")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", character, text)


# `depends`


class _DependencyGrammar(Grammar):
    """The language of `depends`; a scope has a truth value for every `task.Result`."""

    tokens = re.compile(
        r"[a-zA-Z0-9][-a-zA-Z0-9]*(?:\.[A-Z][a-zA-Z]+)? | && | [|]{2} | [!()]",
        re.VERBOSE,
    )

    def parse_value(self, word: str) -> Operand:
        if not word[0].isalnum():
            raise self.error(f"cannot use {word!r} here")
        task, _, result = word.partition(".")
        if result and result not in RESULTS:
            raise self.error(f"{result} is not a result of a task")
        results: tuple[str, ...] = _GOOD_RESULTS
        if result:
            results = (result,)
        paths = [f"{task}.{result}" for result in results]
        self.names.update(paths)
        return Operand(lambda scope: any(scope[path] for path in paths), bool)
