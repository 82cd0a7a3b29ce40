"""What ignore files leave out of a run's code, in words."""

from collections.abc import Iterable

from riseml import phrases
from riseml.cli.table import clean
from riseml.excerpts import counted
from riseml.project import Exclusion

# More names would hide the rest of the line.
_MAX_NAMES = 4
# Not an ignore file: see `riseml.project.copied`.
_COPIED = "riseml cp"


def sentences(exclusions: Iterable[Exclusion]) -> list[str]:
    """Return a phrase for each ignore file: what it leaves out, and what brings it."""
    by_source: dict[str, list[Exclusion]] = {}
    for exclusion in exclusions:
        by_source.setdefault(exclusion.source, []).append(exclusion)
    # What .risemlignore names stays out in any case.
    excluded = by_source.pop(".risemlignore", None)
    lines = [_phrase(source, items) for source, items in by_source.items()]
    if lines:
        lines[-1] += "; `--no-gitignore` brings it"
    if excluded:
        lines.append(_phrase(".risemlignore", excluded))
    return lines


def _phrase(source: str, items: list[Exclusion]) -> str:
    names = counted(list(map(_named, items)), _MAX_NAMES)
    if source == _COPIED:
        return f"left out, since RiseML wrote it: {names}"
    return f"left out by {clean(source)}: {names}"


def _named(exclusion: Exclusion) -> str:
    name = clean(exclusion.path)
    if exclusion.size is None:
        return name
    amount = phrases.size(exclusion.size)
    return f"{name} {amount}" if exclusion.complete else f"{name} more than {amount}"
