"""Choose where runs go: this machine or a cluster."""

from typing import Annotated, Any

import typer

from riseml import settings
from riseml.cli import options, output, table, terminal


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
    form: options.Reading = "table", no_headers: options.NoHeaders = False
) -> None:
    """Show all contexts; a star marks the one in use."""
    from riseml.cluster import contexts
    from riseml.engines.open import context_in_use

    now = settings.load()
    current = context_in_use(now) or contexts.LOCAL
    rows = [[contexts.LOCAL, now.user, "this machine"]]
    rows += map(list, contexts.load(now.file).rows())
    if form in {"json", "yaml"}:
        titles = ("name", "user", "server")
        output.data(
            [
                {**dict(zip(titles, row, strict=True)), "current": row[0] == current}
                for row in rows
            ],
            form,
        )
        return
    if form == "name":
        output.lines(row[0] for row in rows)
        return
    marked = [["*" if row[0] == current else "", *row] for row in rows]
    if form == "csv":
        output.csv(["CURRENT", "NAME", "USER", "CLUSTER"], marked)
        return
    columns = [table.Column(title) for title in ("", "NAME", "USER", "CLUSTER")]
    output.lines(
        table.render(columns, marked, terminal.output(), headers=not no_headers)
    )


def show(form: options.Reading = "table") -> None:
    """Show the settings that hold here, and where each comes from; keys are never shown."""
    now = settings.load()
    values: dict[str, Any] = {
        "engine": now.engine,
        "context": now.context,
        "home": now.home,
        "file": now.file,
    }
    values |= {"user": now.user, "gitignore": now.gitignore}
    if form in {"json", "yaml"}:
        output.data(
            {
                name: value if isinstance(value, bool) else str(value)
                for name, value in values.items()
            },
            form,
        )
        return
    rows = [
        [name, str(value), now.origins.get(name, "")] for name, value in values.items()
    ]
    columns = [table.Column(title) for title in ("NAME", "VALUE", "FROM")]
    output.lines(table.render(columns, rows, terminal.output()))


COMMANDS = {"use": use, "list": list_, "show": show}
