"""Kills of a run and its experiments: what the Workflow's annotation records, and what Argo does."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from riseml import labels
from riseml.dataclass import dataclass
from riseml.status import document as doc
from riseml.status import people

STOPPED_WITH_ARGO = "stopped with Argo"

_ALL = "*"
_ENTRY = re.compile(r"\s*([^=,]*[^=,\s])\s*=([^,]*)")
_COMMANDS = {"Stop": "argo stop", "Terminate": "argo terminate"}
# A pod that Argo made so shortly after a kill was made before Argo knew of the kill.
_DELAY = timedelta(seconds=2)


@dataclass(frozen=True)
class Kills:
    """Experiments that were killed, with the times of the kills as far as they were recorded.

    `entries` come from the annotation, by sub or `*` for the run. `command` is that with
    which somebody had Argo end the run, empty if nobody did. `actor` is who that was, empty
    where Argo does not know.
    """

    entries: Mapping[str, tuple[datetime | None, ...]]
    command: str = ""
    actor: str = ""

    def includes(self, sub: str, started: datetime | None = None) -> bool:
        """Return whether the experiment `sub`, or the run, was killed.

        A kill that is older than the start of a job is not a kill of that job: `argo retry`
        has started it anew since.
        """
        return bool(self.command or self._kills(sub, started))

    def time(self, sub: str, started: datetime | None = None) -> datetime | None:
        """Return the time of the first kill of the experiment `sub`, or the run, that is known.

        Kills that are older than the start of a job do not count.
        """
        return min(filter(None, self._kills(sub, started)), default=None)

    @property
    def by_argo(self) -> str:
        """Which command of Argo stopped the run, and who used it; empty if none did."""
        # RiseML records its own kill of a run before it has Argo end the run.
        if not self.command or _ALL in self.entries:
            return ""
        person = f" by {self.actor}" if self.actor else ""
        return f"{STOPPED_WITH_ARGO}{person} (`{self.command}`)"

    def _kills(self, sub: str, started: datetime | None) -> tuple[datetime | None, ...]:
        recorded = (*self.entries.get(sub, ()), *self.entries.get(_ALL, ()))
        if started is None:
            return recorded
        counts = partial(_is_later, earliest=started - _DELAY)
        return tuple(filter(counts, recorded))


def read(
    spec: Mapping[str, Any], notes: Mapping[str, Any], tags: Mapping[str, Any]
) -> Kills:
    """Read the entries `<sub or *>=<time>` of the annotation, and what Argo's labels say."""
    entries: dict[str, tuple[datetime | None, ...]] = {}
    for sub, time in _ENTRY.findall(doc.text(notes.get(labels.KILLED))):
        entries[sub] = (*entries.get(sub, ()), doc.time(time.strip()))
    shutdown = doc.text(spec.get("shutdown"))
    return Kills(entries, _COMMANDS.get(shutdown, ""), _actor(tags, shutdown))


def _is_later(time: datetime | None, earliest: datetime) -> bool:
    """Return whether a kill counts; one whose time is not known does."""
    return time is None or time >= earliest


def _actor(tags: Mapping[str, Any], shutdown: str) -> str:
    """Return who asked Argo for a shutdown, as its server's labels say."""
    # The labels describe the last action only.
    if tags.get(labels.ACTION) != shutdown:
        return ""
    return people.last_actor(tags)
