"""Methods of `riseml.Client` that name, tag and annotate runs."""

from collections.abc import Iterable

from riseml import marks
from riseml.client.context import ClientContext, run_of
from riseml.engines.capabilities import KeepsMarks
from riseml.errors import InvalidInputError, UnsupportedError
from riseml.ids import Id
from riseml.plan import Marks


def change(
    context: ClientContext,
    names: Iterable[str | Id],
    *,
    name: str | None,
    add: Iterable[str],
    remove: Iterable[str],
    note: str | None,
) -> dict[str, Marks]:
    """Change the marks of runs; see `Client.mark`."""
    engine = context.engine
    if not isinstance(engine, KeepsMarks):
        raise UnsupportedError(f"the engine {engine.name} keeps no names and tags")
    # All ids and marks are checked before the first one changes.
    runs = [engine.read(_run_id(context, id_)) for id_ in names]
    if name and len(runs) > 1:
        raise InvalidInputError("only one run can get a name", "Name each one alone.")
    after = {}
    for run in runs:
        tags = {*run.marks.tags, *add} - set(remove)
        after[run.id] = marks.checked(
            _changed(run.marks.name, name), tags, _changed(run.marks.note, note)
        )
    for run in runs:
        if after[run.id] != run.marks:
            engine.mark(Id(run.user or None, run.number), after[run.id])
    return after


def _changed(old: str, new: str | None) -> str:
    """Return the new text, or the old one if there is none."""
    return old if new is None else new


def _run_id(context: ClientContext, id: str | Id) -> Id:
    run = context.find_id(id)
    if run != run_of(run):
        raise InvalidInputError(
            "only whole runs have a name, tags and a note",
            f"{run} is part of {run_of(run)}.",
        )
    return run
