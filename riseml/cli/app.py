"""From a function with annotated parameters to a command: Typer, without Rich and without Pydantic.

Typer converts values through Pydantic, whose import alone costs three times our start-up; the few types that our
commands take are converted here instead.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from riseml.cli.failure import did_you_mean
from riseml.errors import InvalidInputError


def build(name: str, function: Callable[..., Any]) -> TyperCommand:
    """Return the command that `function` describes."""
    app = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.command(
        name, cls=_Command, context_settings={"help_option_names": ["-h", "--help"]}
    )(function)
    command = typer.main.get_command(app)
    # A Typer of one command is that command
    assert isinstance(command, TyperCommand)  # noqa: S101
    return command


def run(name: str, function: Callable[..., Any], words: list[str]) -> int:
    """Run a command with its arguments; it returns its exit status, None for 0.

    Raises:
        InvalidInputError: the words do not fit the command.
    """
    command = build(name, function)
    try:
        with command.make_context(f"riseml {name}", words) as context:
            return command.invoke(context) or 0
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        raise _usage(name, command, error) from None


def _usage(
    name: str, command: TyperCommand, error: typer.TyperException
) -> InvalidInputError:
    option = getattr(error, "option_name", "")
    help_hint = f"`riseml {name} --help` shows how it is used."
    if not hasattr(error, "possibilities"):
        message = error.format_message().rstrip(".")
        return InvalidInputError(message[:1].lower() + message[1:], help_hint)
    known = [
        text
        for parameter in command.params
        for text in (*parameter.opts, *parameter.secondary_opts)
    ]
    return InvalidInputError(
        f"`riseml {name}` has no option {option}",
        did_you_mean(option, known) + help_hint,
    )


def _process(parameter: Any, context: typer.Context, value: Any) -> Any:
    kind = parameter.type_descriptor.annotation
    if value is None or value in ((), []):
        if parameter.required:
            raise typer.TyperException(
                f"{context.command_path} needs {parameter.get_error_hint()}"
            )
        return None
    if parameter.multiple or parameter.nargs == -1:
        inner = get_args(kind)[0] if get_origin(kind) is list else kind
        return [_convert(inner, parameter, context, item) for item in value]
    return _convert(kind, parameter, context, value)


def _convert(kind: Any, parameter: Any, context: typer.Context, value: Any) -> Any:
    if get_origin(kind) is Literal:
        return _choice(kind, parameter, context, value)
    if kind is int:
        return _whole(parameter, context, value)
    return Path(value) if kind is Path else value


def _choice(kind: Any, parameter: Any, context: typer.Context, value: str) -> str:
    choices = get_args(kind)
    if value not in choices:
        text = f"'{value}' is none of {', '.join(choices)}. {did_you_mean(value, choices)}".rstrip()
        raise typer.BadParameter(text, ctx=context, param=parameter)
    return value


def _whole(parameter: Any, context: typer.Context, value: str | int) -> int:
    least = parameter.type_descriptor.parameter_info.min
    try:
        number = int(value)
    except ValueError:
        raise typer.BadParameter(
            f"'{value}' is no whole number", ctx=context, param=parameter
        ) from None
    if least is not None and number < least:
        raise typer.BadParameter(
            f"{number} is less than {least}", ctx=context, param=parameter
        )
    return number


class _Option(TyperOption):
    def process_value(self, ctx: Any, value: Any) -> Any:
        value = _process(self, ctx, value)
        return self.callback(ctx, self, value) if self.callback else value


class _Argument(TyperArgument):
    def process_value(self, ctx: Any, value: Any) -> Any:
        return _process(self, ctx, value)

    def display_type_rich(self, ctx: Any) -> None:
        """Say nothing: the name of an argument says what it is."""


class _Command(TyperCommand):
    """A command whose parameters are converted here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = (self.help or "").replace(
            "\n\nExample", "\n\n\b\nExample"
        )  # \b: leave the lines as they are

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)
        for parameter in parameters:
            parameter.__class__ = (
                _Option if isinstance(parameter, TyperOption) else _Argument
            )
        return parameters
