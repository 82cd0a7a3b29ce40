"""Command `riseml why`."""

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from riseml import phrases
from riseml.cli import clock, formats, options, output, records, symbols, terminal
from riseml.cli.documents import Document, StateName
from riseml.cli.records import AttemptRecord
from riseml.cli.table import clean
from riseml.client.client import Client
from riseml.status import reason_words

if TYPE_CHECKING:
    from riseml.cli.terminal import Terminal
    from riseml.diagnosis import Cause
    from riseml.status import JobStatus

# The others have the same cause, and their ids would hide the explanation.
_MAX_IDS = 6


class CauseRecord(TypedDict):
    """Why runs, experiments or jobs wait or ended as they did."""

    ids: list[str]
    """All that share the cause."""
    state: StateName
    cause: str
    """One word, such as OOM."""
    what: str
    """The explanation."""
    evidence: list[str]
    """Lines of Kubernetes or of a log."""
    fix: list[str]
    """What to do about it."""
    attempts: list[AttemptRecord]


DOCUMENTS = {"why": Document(list[CauseRecord])}


def command(
    id: options.OneId = None, output_format: options.OutputFormat = "table"
) -> None:
    """Explain why a run is waiting or failed.

    The explanation quotes Kubernetes or the last lines of the log, and suggests a fix.

    Examples:
      riseml why
      riseml why 14.3
    """
    causes = Client().why(id)
    if formats.is_for_people(output_format):
        screen = terminal.stdout()
        output.write("\n".join(_text(cause, screen) for cause in causes))
        return
    data = formats.Data(
        records=list(map(_record, causes)),
        names=list(itertools.chain.from_iterable(cause.ids for cause in causes)),
        titles=["id", "state", "cause", "what", "fix"],
        rows=_csv_rows(causes),
    )
    formats.write_data(data, output_format)


def _csv_rows(causes: "Iterable[Cause]") -> list[list[str]]:
    rows = []
    for cause in causes:
        # Experiments with the same cause share an explanation, but not a row.
        for subject in cause.ids:
            fix = "\n".join(cause.fix)
            row = [subject, str(cause.state), cause.kind, cause.explanation, fix]
            rows.append(row)
    return rows


def _text(cause: "Cause", screen: "Terminal") -> str:
    """Return the lines about one cause: explanation, evidence, fix."""
    subject = ", ".join(cause.ids[:_MAX_IDS])
    hidden = len(cause.ids) - _MAX_IDS
    if hidden > 0:
        subject += f" and {hidden} more"
    state = symbols.coloured(cause.state, screen)
    if cause.kind == reason_words.SUSPENDED:
        state = symbols.suspended(screen)
    lines = [f"{subject} {state}: {clean(cause.explanation)}"]
    for attempt in cause.attempts:
        lines.append(f"  {_attempt(attempt)}")
    lines += [f"  {screen.bar} {clean(line)}" for line in cause.evidence]
    lines += [f"  {screen.arrow} {clean(line)}" for line in cause.fix]
    return "".join(map("{}\n".format, lines))


def _attempt(job: "JobStatus") -> str:
    state = str(job.state)
    if job.started:
        duration = phrases.duration(job.started, job.finished, clock.now())
        state += f" after {duration}" if job.finished else f" for {duration}"
    # Attempts count from 0.
    line = f"attempt {job.attempt + 1} of {job.max_attempts}: {state}"
    return clean(f"{line}: {job.message}" if job.message else line)


def _record(cause: "Cause") -> CauseRecord:
    return {
        "ids": list(cause.ids),
        "state": str(cause.state),
        "cause": cause.kind,
        "what": cause.explanation,
        "evidence": list(cause.evidence),
        "fix": list(cause.fix),
        "attempts": list(map(records.attempt, cause.attempts)),
    }
