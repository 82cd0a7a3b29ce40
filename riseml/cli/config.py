"""Choose where runs go: this machine or a cluster."""

from typing import Annotated, TypedDict

import typer

from riseml import settings
from riseml.cli import formats, options, output
from riseml.cli.documents import Document
from riseml.cli.table import Column


class ContextRecord(TypedDict):
    """A cluster, or this machine, on which runs can be started."""

    name: str
    user: str
    server: str
    current: bool
    """Whether runs go there."""


class SettingsRecord(TypedDict):
    """The settings in effect."""

    engine: str
    context: str
    home: str
    """The folder of the engine of this machine."""
    file: str
    """The settings file."""
    user: str
    gitignore: bool
    plain: bool
    """Whether screens are for screen readers."""


DOCUMENTS = {
    "config-list": Document(list[ContextRecord]),
    "config-show": Document(SettingsRecord),
}


def use(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME|local", show_default=False, help="The context."),
    ],
) -> None:
    """Run on the cluster of a context from now on, or on this machine.

    Examples:
      riseml config use local
      riseml config use paul@cluster.example.com
    """
    from riseml.cluster import contexts
    from riseml.engines.open import describe

    file = contexts.load(settings.load().file)
    file.use(name)
    file.save()
    # Variables and a project's settings win over the choice that was just saved.
    effective = settings.load()
    output.note(f"Runs now go to {describe(effective)}.")
    origin = effective.origins.get("engine") or effective.origins.get("context")
    if origin:
        output.note(f"{origin} decides this and overrides the choice made here.")


def list_(
    output_format: options.OutputFormat = "table", no_headers: options.NoHeaders = False
) -> None:
    """List all contexts; a star marks the one in use."""
    from riseml.cluster import contexts
    from riseml.engines.open import context_in_use

    effective = settings.load()
    current = context_in_use(effective) or contexts.LOCAL
    # This machine is not in the settings file, but can be chosen like a context.
    rows = [(contexts.LOCAL, effective.user, "this machine")]
    rows += contexts.load(effective.file).rows()
    records: list[ContextRecord] = [
        {"name": name, "user": user, "server": server, "current": name == current}
        for name, user, server in rows
    ]
    data = formats.of_records(records, ContextRecord, "name")
    table = [["*" if row[0] == current else "", *row] for row in rows]
    # The star needs no title.
    columns = [Column(""), Column("NAME"), Column("USER"), Column("CLUSTER")]
    formats.write_table(data, columns, output_format, rows=table, no_headers=no_headers)


def show(output_format: options.OutputFormat = "table") -> None:
    """Show the settings in effect and where each comes from; keys are never shown."""
    effective = settings.load()
    values: SettingsRecord = {
        "engine": effective.engine,
        "context": effective.context,
        "home": str(effective.home),
        "file": str(effective.file),
        "user": effective.user,
        "gitignore": effective.gitignore,
        "plain": effective.plain,
    }
    rows = []
    for name, value in values.items():
        rows.append([name, str(value), effective.origins.get(name, "")])
    data = formats.Data(
        records=values, names=list(values), titles=["name", "value", "from"], rows=rows
    )
    columns = [Column(title.upper()) for title in data.titles]
    formats.write_table(data, columns, output_format)


COMMANDS = {"use": use, "list": list_, "show": show}
