"""Reader of command lines that need neither help nor an error message.

    words ──▶ the declarations of a command ──▶ values of its parameters
                                            └─▶ anything else: Typer (`riseml.cli.app`)

Typer decides what a line means, and a test compares both for each command. This reader
exists because loading Typer takes twice as long as `python -c pass`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from riseml.cli.parameters import Option, Parameter, declared

Command = Callable[..., int | None]

# Flags of a function's code, as in `inspect`, which takes long to load.
_VARIABLE_ARGUMENTS, _VARIABLE_KEYWORDS = 4, 8


class _UnclearError(Exception):
    """The line is wrong, or asks for something that only Typer can do."""


def run(name: str, function: Command, words: Sequence[str]) -> int:
    """Run a command with its arguments and return its exit status.

    Raises:
        InvalidInputError: the words do not fit the command.
    """
    values = read(function, words)
    if values is None:
        from riseml.cli import app

        return app.run(name, function, list(words))
    return function(**values) or 0


def read(function: Command, words: Sequence[str]) -> dict[str, Any] | None:
    """Return the values of all parameters, None if Typer has to read the line."""
    try:
        return _Reader(function).read(words)
    except _UnclearError:
        return None


class _Kind:
    """Type of the values of a parameter."""

    def __init__(self, annotation: Any, parameter: Parameter) -> None:
        kind = get_args(annotation)[0]
        if get_origin(kind) in {Union, UnionType}:
            kind = next(kind for kind in get_args(kind) if kind is not NoneType)
        self.is_list = get_origin(kind) is list
        self.element = get_args(kind)[0] if self.is_list else kind
        self.is_flag = self.element is bool
        self.min = parameter.min

    def convert(self, text: str) -> object:
        """Return the value of a text."""
        if self.element is str:
            return text
        if self.element is Path:
            return Path(text)
        if get_origin(self.element) is Literal and text in get_args(self.element):
            return text
        if self.element is not int:
            raise _UnclearError
        try:
            number = int(text)
        except ValueError:
            raise _UnclearError from None
        if self.min is not None and number < self.min:
            raise _UnclearError
        return number


class _Reader:
    def __init__(self, function: Command) -> None:
        self._parameters = declared(function)
        names = tuple(self._parameters)
        # Typer knows more ways to declare a parameter. A command without any is of
        # another package, and may end with an exception of Typer.
        if not names or names != _positional(function):
            raise _UnclearError
        defaults = function.__defaults__ or ()
        self._values: dict[str, Any] = dict(
            zip(names[len(names) - len(defaults) :], defaults, strict=True)
        )
        self._kinds: dict[str, _Kind] = {}
        self._options: dict[str, tuple[str, bool]] = {}
        self._arguments: list[str] = []
        self._given: set[str] = set()
        for name, parameter in self._parameters.items():
            self._kinds[name] = _Kind(function.__annotations__[name], parameter)
            if isinstance(parameter, Option):
                self._add_option(name, parameter)
            else:
                self._arguments.append(name)

    def _add_option(self, name: str, option: Option) -> None:
        for spelling in option.spellings:
            positive, _, negative = spelling.partition("/")
            self._options[positive] = name, True
            if negative:
                self._options[negative] = name, False

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """Return the values of all parameters."""
        arguments: list[str] = []
        remaining = iter(words)
        for word in remaining:
            if word == "--":
                arguments += remaining
            elif word.startswith("--"):
                self._read_long(word, remaining)
            elif word.startswith("-") and word != "-":
                self._read_short(word, remaining)
            else:
                arguments.append(word)
        self._read_arguments(arguments)
        if len(self._values) < len(self._parameters):
            raise _UnclearError
        for name, parameter in self._parameters.items():
            if parameter.find_default and name not in self._given:
                self._values[name] = parameter.find_default(self._values)
        return self._values

    def _read_long(self, word: str, remaining: Iterator[str]) -> None:
        spelling, has_value, value = word.partition("=")
        name, is_on = self._option(spelling)
        if not self._kinds[name].is_flag:
            self._set(name, value if has_value else _next(remaining))
        elif has_value:
            raise _UnclearError
        else:
            self._values[name] = is_on

    def _read_short(self, word: str, remaining: Iterator[str]) -> None:
        """Read `-a`, `-n 5`, `-n5` or `-an5`."""
        for position, letter in enumerate(word[1:], start=2):
            name, is_on = self._option(f"-{letter}")
            if not self._kinds[name].is_flag:
                self._set(name, word[position:] or _next(remaining))
                return
            self._values[name] = is_on

    def _option(self, spelling: str) -> tuple[str, bool]:
        if spelling not in self._options:
            raise _UnclearError
        return self._options[spelling]

    def _read_arguments(self, words: list[str]) -> None:
        """Assign words to arguments; one of them may take any number."""
        remaining = len(self._arguments)
        for name in self._arguments:
            remaining -= 1
            count = min(len(words), 1)
            if self._kinds[name].is_list:
                count = max(len(words) - remaining, 0)
            for word in words[:count]:
                self._set(name, word)
            del words[:count]
        if words:
            raise _UnclearError

    def _set(self, name: str, text: str) -> None:
        kind = self._kinds[name]
        value = kind.convert(text)
        if not kind.is_list:
            self._values[name] = value
        elif name in self._given:
            self._values[name].append(value)
        else:
            # The first value replaces the default.
            self._values[name] = [value]
        self._given.add(name)


def _positional(function: Command) -> tuple[str, ...] | None:
    """Return the names of all parameters of a function, None if some have a special kind."""
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    if code.co_kwonlyargcount or code.co_flags & (
        _VARIABLE_ARGUMENTS | _VARIABLE_KEYWORDS
    ):
        return None
    return code.co_varnames[: code.co_argcount]


def _next(words: Iterator[str]) -> str:
    word = next(words, "-")
    if word.startswith("-"):
        raise _UnclearError
    return word
