"""`riseml check`."""

from typing import Annotated, Literal

import typer

from riseml.cli import options, output, text
from riseml.client.client import Client
from riseml.client.context import CONFIG_FILE
from riseml.errors import Fault


def command(
    config_file: options.ConfigFile = CONFIG_FILE,
    form: Annotated[
        Literal["table", "json", "yaml"],
        typer.Option("-o", "--output", metavar="FORMAT", help="table, json or yaml."),
    ] = "table",
) -> int:
    """Report every error in a riseml.yml.

    Exit status 2 where there are errors, 0 where there are none or only warnings.

    Examples:
      riseml check
      riseml check -f riseml_big.yml -o json
    """
    faults = Client().check(config_file)
    errors = sum(fault.severity == "error" for fault in faults)
    if form != "table":
        output.data([_record(fault) for fault in faults], form)
    else:
        output.lines(map(str, faults))
        output.note(_summary(config_file, errors, len(faults) - errors))
    return 2 if errors else 0


def _summary(file: str, errors: int, warnings: int) -> str:
    counted = [text.plural(errors, "error")] if errors else []
    counted += [text.plural(warnings, "warning")] if warnings else []
    if errors:
        return f"{file}: {', '.join(counted)}."
    if warnings:
        return f"{file} is valid, with {', '.join(counted)}."
    return f"{file} is valid."


def _record(fault: Fault) -> dict[str, object]:
    return {
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "severity": fault.severity,
        "message": fault.message,
        "advice": fault.advice,
        "source": fault.source,
    }
