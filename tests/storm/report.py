"""What a storm did to a home, and what it found wrong afterwards."""

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock

LOST = "lost"
DUPLICATED = "duplicated"
WRONG = "wrong"
LEFT = "left behind"
HALF_DONE = "half done"
UNREADABLE = "unreadable"
TRACEBACK = "traceback"

# Kills that a defect shows, the latest ones before the storm noticed it.
_KILLS_SHOWN = 6


@dataclass(frozen=True)
class Kill:
    """One process that the storm killed, at `seconds` after its start.

    `experiment` is known for supervisors. `recorded` is whether the job's pid file
    existed: the engine counts the job as started from then on.
    """

    seconds: float
    victim: str
    pid: int
    experiment: str = ""
    attempt: int = 0
    recorded: bool = False


@dataclass(frozen=True)
class Defect:
    """Something wrong, the run or file that it concerns, and the evidence."""

    kind: str
    subject: str
    evidence: str


@dataclass
class Journal:
    """The kills of a storm, and its defects; threads may write to it."""

    begun: float = field(default_factory=time.monotonic)
    kills: list[Kill] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def seconds(self) -> float:
        """The time since the storm began."""
        return time.monotonic() - self.begun

    def killed(self, kill: Kill) -> None:
        """Record a kill."""
        with self._lock:
            self.kills.append(kill)

    def defect(self, kind: str, subject: str, evidence: str) -> None:
        """Record a defect."""
        with self._lock:
            self.defects.append(Defect(kind, subject, evidence))

    def note(self, text: str) -> None:
        """Record something that is no defect, but may explain one."""
        with self._lock:
            self.notes.append(text)

    def count(self, figure: str, amount: int = 1) -> None:
        """Add to a figure of the report."""
        with self._lock:
            self.figures[figure] += amount

    def kills_of(self, experiment: str) -> list[Kill]:
        """Return the kills of an experiment's own processes."""
        return [kill for kill in self.kills if kill.experiment == experiment]

    def write(self, file: Path) -> None:
        """Write every kill, one JSON object a line."""
        lines = [json.dumps(asdict(kill)) for kill in self.kills]
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")

    def lines(self, kinds: Iterable[str]) -> list[str]:
        """Return the figures, the number of defects of each kind, and the defects."""
        victims = Counter(kill.victim for kill in self.kills)
        killed = ", ".join(f"{count} {name}" for name, count in victims.most_common())
        defects = Counter(defect.kind for defect in self.defects)
        lines = [f"{name}: {count:,}" for name, count in self.figures.items()]
        if killed:
            lines.append(f"kills: {len(self.kills)} ({killed})")
        lines.append(", ".join(f"{kind} {defects[kind]}" for kind in kinds))
        for defect in self.defects:
            lines.append(f"{defect.kind}: {defect.subject}: {defect.evidence}")
        return [*lines, *self.notes]


def describe(kills: Iterable[Kill]) -> str:
    """Return kills as a short text, the latest ones last."""
    shown = list(kills)[-_KILLS_SHOWN:]
    texts = []
    for kill in shown:
        state = ", pid file written" if kill.recorded else ""
        texts.append(f"{kill.victim} at {kill.seconds:.2f} s{state}")
    return "; ".join(texts) or "no kill"
