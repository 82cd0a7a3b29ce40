"""The three small languages in an Argo Workflow that decide something, as far as the local engine speaks them.

    condition   `when`                     '{{item.lr}}' != '0.1' && (a == b || x =~ '^y')   words are text
    expression  hooks, retryStrategy       tasks["worker-1"].status == "Failed", asInt(lastRetry.exitCode) > 1
    dependency  `depends`                  build.Succeeded || build.Skipped, prepare && !check.Failed

Each is parsed once into an `Expression`. What is not understood raises ExpressionError when parsing, so that a document
can be refused before it runs; comparing a number with text, which Argo refuses too, is found then as well.
"""

import operator
import re
from calendar import timegm
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple

from riseml.engines.local.interpreter.expression_parser import (
    ORDER,
    SCALARS,
    Comparison,
    Evaluate,
    ExpressionError,
    Grammar,
    Part,
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


class Expression(NamedTuple):
    """A parsed text that is true or false; `names` are the paths it reads."""

    text: str
    names: frozenset[str]
    evaluate: Evaluate

    def __call__(self, scope: Scope) -> bool:
        """Evaluate with these meanings of names.

        Raises:
            ExpressionError: a name has no meaning, or a value is of the wrong kind.
        """
        result = self.evaluate(scope)
        if not isinstance(result, bool):
            raise ExpressionError(
                f"'{self.text}' is neither true nor false, but {result!r}"
            )
        return result


def condition(text: str) -> Expression:
    """Parse a `when`, all tags replaced: words without quotes are text, dates and numbers are numbers.

    Raises:
        ExpressionError: it cannot be parsed.
    """
    return _parse(text, _Condition)


def expression(text: str) -> Expression:
    """Parse the expression of a hook or of a retryStrategy.

    Raises:
        ExpressionError: it cannot be parsed.
    """
    return _parse(text, _Expr)


def dependency(text: str) -> Expression:
    """Parse a `depends`: its names are `task.Result`, a task alone means Succeeded, Skipped or Daemoned.

    Raises:
        ExpressionError: it cannot be parsed.
    """
    return _parse(text, _Dependency)


TAG: Final = "tag__of__argo"
"""Stands for a tag while a document is checked: outside of quotes nobody knows yet what it will be."""

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
"""What `depends` may ask of a task."""


def _parse(text: str, grammar: "type[Grammar]") -> Expression:
    parser = grammar(text)
    part = parser.either()
    if parser.word is not None:
        raise parser.error(f"unexpected {parser.word!r}")
    if part.type not in (bool, None):
        raise parser.error("it is neither true nor false")
    return Expression(text, frozenset(parser.names), part.evaluate)


class _Condition(Grammar):
    """Govaluate's language, in which Argo turns every variable into text."""

    # Any quote ends any string, and a backslash before any character stands for that character.
    tokens = re.compile(
        r"""['"](?:\\.|[^'"\\])*['"] | 0x[0-9a-fA-F]+ | [\d.]+ | [^\W\d_][\w.]* | [()] | [^\s\w()\[\]'"]+""",
        re.VERBOSE | re.DOTALL,
    )
    comparisons: ClassVar = {
        "==": Comparison(
            lambda a, b: type(a) is type(b) and a == b, SCALARS, SCALARS, alike=False
        ),
        "!=": Comparison(
            lambda a, b: type(a) is not type(b) or a != b, SCALARS, SCALARS, alike=False
        ),
        "=~": Comparison(search, (str,), (str,), pattern=True),
        "!~": Comparison(
            lambda text, pattern: not search(text, pattern),
            (str,),
            (str,),
            pattern=True,
        ),
        **ORDER,
    }

    def prefixed(self) -> Part:
        """Parse a value with at most one `!` before it."""
        if self.word == "!" and self.text[self.position :].lstrip().startswith("!"):
            raise self.error("Argo cannot read two ! in a row")
        return super().prefixed()

    def value(self, word: str) -> Part:
        if word[0] in "'\"":
            text = re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)
            return _constant(text if (moment := _moment(text)) is None else moment)
        if word in ("true", "false"):
            return _constant(word == "true")
        if word == "-" and self.word and self.word[0].isdigit():
            return _constant(-_number(self, self.next()))
        if word[0].isdigit() or word[0] == ".":
            return _constant(_number(self, word))
        if word == TAG:
            return _UNKNOWN
        if word[0].isalpha() and "." not in word and word.lower() != "in":
            return _constant(word)
        raise self.error(
            f"cannot use {word!r} here (text other than single words needs quotes)"
        )


_DATE: Final = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?"
)


def _moment(text: str) -> float | None:
    """Return the unix seconds of a quoted date, which is a number in this language; None for any other text."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return float(timegm(datetime.fromisoformat(text).utctimetuple()))
    except ValueError:
        return None


def _number(grammar: Grammar, word: str) -> float:
    try:
        return float(int(word, 16)) if word.startswith("0x") else float(word)
    except ValueError:
        raise grammar.error(f"{word!r} is no number") from None


def _unknown(_: Scope) -> Any:
    raise ExpressionError("a tag was not replaced")


_UNKNOWN: Final = Part(_unknown)


def _constant(value: str | float | bool) -> Part:
    return Part(lambda _: value, type(value), value)


def _among(value: Any, values: list[Any]) -> bool:
    if not all(isinstance(each, type(value)) for each in values):
        raise ExpressionError(f"{value!r} cannot be in {values!r}")
    return value in values


class _Expr(Grammar):
    """The part of the expr language that Argo's own documents use; all variables are text."""

    tokens = re.compile(
        r"""["](?:\\.|[^"\\\n])*["] | ['](?:\\.|[^'\\\n])*['] | \d+(?:\.\d+)?(?:[eE][+-]?\d+)?
        | [A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\s*(?:"[^"\\\n]*"|'[^'\\\n]*')\s*\])*
        | == | != | <= | >= | && | [|]{2} | [<>!()\[\],-]""",
        re.VERBOSE,
    )
    words: ClassVar = {"and": "&&", "or": "||", "not": "!"}
    comparisons: ClassVar = {
        "==": Comparison(operator.eq, SCALARS, SCALARS),
        "!=": Comparison(operator.ne, SCALARS, SCALARS),
        "contains": Comparison(operator.contains, (str,), (str,)),
        "startsWith": Comparison(str.startswith, (str,), (str,)),
        "endsWith": Comparison(str.endswith, (str,), (str,)),
        "matches": Comparison(search, (str,), (str,), pattern=True),
        "in": Comparison(_among, SCALARS, (list,), alike=False),
        **ORDER,
    }

    def value(self, word: str) -> Part:
        if (constant := self._constant(word)) is not None:
            return constant
        if word == "[":
            return self._list()
        if (
            not (word[0].isalpha() or word[0] == "_")
            or word in self.comparisons
            or word == "nil"
        ):
            raise self.error(f"cannot use {word!r} here")
        if word == TAG:
            return _UNKNOWN
        return self._call(word) if self.take("(") else self._name(word)

    def _constant(self, word: str) -> Part | None:
        if word[0] in "'\"":
            return _constant(_unescape(self, word[1:-1]))
        if word in ("true", "false"):
            return _constant(word == "true")
        if word == "-" and self.word and self.word[0].isdigit():
            return _constant(-_number(self, self.next()))
        return _constant(_number(self, word)) if word[0].isdigit() else None

    def _name(self, word: str) -> Part:
        path = ".".join(match[1] or match[2] for match in _STEP.finditer(word))
        self.names.add(path)

        def evaluate(scope: Scope) -> str:
            if path not in scope:
                raise ExpressionError(f"'{self.text}': {word} has no value")
            return str(scope[path])

        return Part(evaluate, str)

    def _call(self, function: str) -> Part:
        if function not in _FUNCTIONS:
            raise self.error(f"the function {function} is not known")
        argument = self.either()
        self.expect(")")
        convert, result = _FUNCTIONS[function]
        evaluate = argument.evaluate

        def call(scope: Scope) -> Any:
            value = evaluate(scope)
            try:
                return convert(value)
            except ValueError:
                raise ExpressionError(
                    f"'{self.text}': {function} cannot take {value!r}"
                ) from None

        return Part(call, result)

    def _list(self) -> Part:
        values: list[Any] = []
        while not self.take("]"):
            if values:
                self.expect(",")
            part = self.operand()
            if part.constant is None:
                raise self.error("a list may hold constants only")
            values.append(part.constant)
        return Part(lambda _: values, list)


_STEP: Final = re.compile(r"""(?:^|\.)(\w+)|\[\s*["']([^"']*)["']\s*\]""")


def _whole(value: object) -> float:
    return float(int(value)) if isinstance(value, str | float) else float("nan")


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


_FUNCTIONS: Final[Mapping[str, tuple[Callable[[Any], Any], type]]] = {
    "asInt": (_whole, float),
    "int": (_whole, float),
    "asFloat": (float, float),
    "float": (float, float),
    "string": (_text, str),
}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def _unescape(grammar: Grammar, text: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise grammar.error(f"unknown escape \\{match[1]}")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", character, text)


class _Dependency(Grammar):
    """What `depends` may say of other tasks; the scope holds a truth value for every `task.Result`."""

    tokens = re.compile(
        r"[a-zA-Z0-9][-a-zA-Z0-9]*(?:\.[A-Z][a-zA-Z]+)? | && | [|]{2} | [!()]",
        re.VERBOSE,
    )

    def value(self, word: str) -> Part:
        if not word[0].isalnum():
            raise self.error(f"cannot use {word!r} here")
        task, _, result = word.partition(".")
        if result and result not in RESULTS:
            raise self.error(f"{result} is no result of a task")
        paths = [
            f"{task}.{name}"
            for name in ([result] if result else ("Succeeded", "Skipped", "Daemoned"))
        ]
        self.names.update(paths)
        return Part(lambda scope: any(scope[path] for path in paths), bool)
