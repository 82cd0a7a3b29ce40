"""Choose where runs go, and change settings."""

from typing import Annotated, TypedDict

from riseml import settings
from riseml.cli import formats, options, output
from riseml.cli.documents import Document
from riseml.cli.parameters import Argument
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
    runner: str
    """What runs the jobs of this machine: auto, process, podman or docker."""
    workdir_limit: int
    """Bytes that a job may keep of what it leaves in its working directory."""
    resources_enforce: bool
    """`resources.enforce`: whether a job on this machine may use no more than it requests."""
    gpus_shared_with_others: bool
    """`gpus.shared_with_others`: whether jobs may get GPUs on which others hold memory."""


DOCUMENTS = {
    "config-list": Document(list[ContextRecord]),
    "config-show": Document(SettingsRecord),
}


def use(
    name: Annotated[
        str,
        Argument(metavar="NAME|local", show_default=False, help="The context."),
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


def set_(
    name: Annotated[
        str, Argument(metavar="NAME", show_default=False, help="The setting.")
    ],
    value: Annotated[
        str, Argument(metavar="VALUE", show_default=False, help="Its value.")
    ],
) -> None:
    """Change a setting for all projects from now on, in the settings file.

    Examples:
      riseml config set gpus.shared_with_others true
      riseml config set workdir_limit 20GB
    """
    from riseml.cluster import contexts

    parsed = settings.parse(name, value)
    file = contexts.load(settings.load().file)
    # Sizes stay as the user writes them.
    file.content[name] = parsed if isinstance(parsed, bool) else value
    file.save()
    output.note(f"{name} is now {value} in {file.path}.")
    origin = settings.load().origins.get(name, "")
    if origin != str(file.path):
        output.note(f"{origin} overrides it.")


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
        "runner": effective.runner,
        "workdir_limit": effective.workdir_limit,
        "resources_enforce": effective.resources_enforce,
        "gpus_shared_with_others": effective.gpus_shared_with_others,
    }
    # Titles and origins have the names that `config set` takes.
    names = {settings.identifier(name): name for name in settings.NAMES}
    rows = []
    for key, value in values.items():
        name = names.get(key, key)
        rows.append([name, str(value), effective.origins.get(name, "")])
    data = formats.Data(
        records=values, names=list(values), titles=["name", "value", "from"], rows=rows
    )
    columns = [Column(title.upper()) for title in data.titles]
    formats.write_table(data, columns, output_format)


COMMANDS = {"use": use, "set": set_, "list": list_, "show": show}
