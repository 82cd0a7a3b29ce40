"""Commands from functions with annotated parameters: Typer without Rich and Pydantic.

Typer converts values through Pydantic, whose import alone takes three times as long as
the rest of our start-up. The few types that our commands take are converted here.
"""

import re
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from riseml.cli import parameters
from riseml.cli.failure import did_you_mean
from riseml.errors import InvalidInputError

# The title, and the indented lines below it.
_EXAMPLES = re.compile(r"^Examples?:\n(?:  .*\n?|\n(?=  ))*", re.MULTILINE)


def build(name: str, function: Callable[..., Any]) -> TyperCommand:
    """Return the command that `function` describes."""
    # `riseml completion` knows ids and other packages' commands, which Typer does not.
    app = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    register = app.command(
        name, cls=_Command, context_settings={"help_option_names": ["-h", "--help"]}
    )
    register(_for_typer(function))
    command = typer.main.get_command(app)
    # Typer returns the command itself for an app with a single one.
    assert isinstance(command, TyperCommand)  # noqa: S101
    return command


def run(name: str, function: Callable[..., Any], words: list[str]) -> int:
    """Run a command with its arguments and return its exit status.

    Raises:
        InvalidInputError: the words do not fit the command.
    """
    command = build(name, function)
    try:
        with command.make_context(f"riseml {name}", words) as context:
            _find_defaults(function, context)
            return command.invoke(context) or 0
    # `--help` ends like this, and so do commands with a status and nothing to report.
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        raise _usage_error(name, command, error) from None


def examples_first(text: str) -> str:
    """Return a docstring in which the examples follow the first paragraph."""
    match = _EXAMPLES.search(text)
    if match is None:
        return text
    others = text[: match.start()] + text[match.end() :]
    summary, _, rest = others.strip().partition("\n\n")
    return "\n\n".join(filter(None, (summary, match[0].strip(), rest)))


def _for_typer(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose annotations contain Typer's own parameters."""
    own_parameters = parameters.declared(function)
    if not own_parameters:
        return function
    annotations = dict(function.__annotations__)
    for name, parameter in own_parameters.items():
        kind = get_args(annotations[name])[0]
        annotations[name] = Annotated[kind, parameter.to_typer()]
    code, namespace = function.__code__, function.__globals__
    # functools.wraps() would show Typer the annotations of the original.
    command = FunctionType(
        code, namespace, function.__name__, function.__defaults__, function.__closure__
    )
    command.__doc__ = function.__doc__
    command.__annotations__ = annotations
    command.__kwdefaults__ = function.__kwdefaults__
    return command


def _find_defaults(function: Callable[..., Any], context: Any) -> None:
    for name, parameter in parameters.declared(function).items():
        source = context.get_parameter_source(name)
        is_given = source is not None and source.name == "COMMANDLINE"
        if parameter.find_default and not is_given:
            context.params[name] = parameter.find_default(context.params)


def _usage_error(
    name: str, command: TyperCommand, error: typer.TyperException
) -> InvalidInputError:
    advice = f"Run `riseml {name} --help` for usage."
    # Only Typer's error for an unknown option has possibilities; it offers poor ones.
    if not hasattr(error, "possibilities"):
        # Our messages begin with a small letter and end without a period.
        message = error.format_message().rstrip(".")
        return InvalidInputError(message[:1].lower() + message[1:], advice)
    option = getattr(error, "option_name", "")
    options: list[str] = []
    for parameter in command.params:
        options += [*parameter.opts, *parameter.secondary_opts]
    return InvalidInputError(
        f"`riseml {name}` has no option {option}",
        did_you_mean(option, options) + advice,
    )


def _process(parameter: Any, context: typer.Context, value: Any) -> Any:
    kind = parameter.type_descriptor.annotation
    # Typer passes an empty list for a repeatable option that is not given.
    if value in (None, (), []):
        if parameter.required:
            raise typer.TyperException(
                f"{context.command_path} needs {parameter.get_error_hint()}"
            )
        return None
    if parameter.multiple or parameter.nargs == -1:
        element = element_of(kind)
        return [_convert(element, parameter, context, item) for item in value]
    return _convert(kind, parameter, context, value)


def element_of(kind: Any) -> Any:
    """Return the type of the values in a list, or the type itself."""
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _convert(kind: Any, parameter: Any, context: typer.Context, value: Any) -> Any:
    if get_origin(kind) is Literal:
        return _choice(kind, parameter, context, value)
    if kind is int:
        return _integer(parameter, context, value)
    return Path(value) if kind is Path else value


def _choice(kind: Any, parameter: Any, context: typer.Context, value: str) -> str:
    choices = get_args(kind)
    if value not in choices:
        text = f"'{value}' is not one of {', '.join(choices)}. {did_you_mean(value, choices)}"
        raise typer.BadParameter(text.rstrip(), ctx=context, param=parameter)
    return value


def _integer(parameter: Any, context: typer.Context, value: str | int) -> int:
    minimum = parameter.type_descriptor.parameter_info.min
    try:
        number = int(value)
    except ValueError:
        text = f"'{value}' is not a whole number"
        raise typer.BadParameter(text, ctx=context, param=parameter) from None
    if minimum is not None and number < minimum:
        text = f"{number} is less than {minimum}"
        raise typer.BadParameter(text, ctx=context, param=parameter)
    return number


class _Option(TyperOption):
    def process_value(self, ctx: Any, value: Any) -> Any:
        value = _process(self, ctx, value)
        # The callback of `--help` prints it.
        return self.callback(ctx, self, value) if self.callback else value


class _Argument(TyperArgument):
    def process_value(self, ctx: Any, value: Any) -> Any:
        return _process(self, ctx, value)

    def display_type_rich(self, ctx: Any) -> None:
        """Show no type: the name of an argument explains itself."""


class _Command(TyperCommand):
    """Command whose parameters are converted here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        help_text = examples_first(self.help or "")
        # \b keeps the line breaks of the examples, and of a list of actions.
        help_text = help_text.replace("\n\nActions:", "\n\n\b\nActions:")
        self.help = help_text.replace("\n\nExample", "\n\n\b\nExample")

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)
        for parameter in parameters:
            # Typer lets no one choose the classes, so they are replaced afterwards.
            is_option = isinstance(parameter, TyperOption)
            parameter.__class__ = _Option if is_option else _Argument
        return parameters
