"""Command `riseml wait`."""

from typing import Annotated, Literal, TypedDict

from riseml import phrases
from riseml.cli import formats, options, outcome, output, reader_exit
from riseml.cli.documents import Document, StateName, Time
from riseml.cli.parameters import Option
from riseml.cli.statuses import experiment_of, is_set, message
from riseml.client.client import Client
from riseml.status import ExperimentStatus, SetStatus


class OutcomeRecord(TypedDict):
    """How a run or experiment ended."""

    id: str
    type: Literal["set", "experiment"]
    state: StateName
    started: Time | None
    finished: Time | None
    reason: str
    message: str
    exit_code: int | None
    """Of the job that failed an experiment; null for a set."""
    failed: list[str]
    """The ids of failed experiments."""


DOCUMENTS = {"wait": Document(list[OutcomeRecord])}


def command(
    ids: options.ManyIds = None,
    timeout: Annotated[
        str | None,
        Option(
            "--timeout",
            metavar="DURATION",
            help="Stop waiting after 90s, 10m, 1h. Default: no limit.",
            show_default=False,
        ),
    ] = None,
    output_format: options.OutputFormat = "table",
) -> int:
    """Wait until runs have ended; the exit status is their outcome.

    Without an id, the command waits for the newest run. Exit statuses: 0 all finished,
    100 any failed, 103 any was killed, 124 timed out. What is held after a failure has not
    ended; a line says so.

    Examples:
      riseml wait 14 && cp -r "$OUTPUT" results
      riseml wait 14 15 --timeout 2h
    """
    limit = options.parse_duration(timeout) if timeout is not None else None
    with reader_exit.watched():
        statuses = Client().wait(*(ids or ()), timeout=limit, on_hold=_note_hold)
    # All have ended by now; the order is that of the ids.
    if formats.is_for_people(output_format):
        output.lines(map(outcome.describe, statuses))
    else:
        records = list(map(_record, statuses))
        data = formats.of_records(records, OutcomeRecord, "id")
        formats.write_data(data, output_format)
    return outcome.exit_status(statuses)


def _note_hold(experiment: ExperimentStatus) -> None:
    output.note(f"{experiment.id} {message(experiment)}")


def _record(status: SetStatus | ExperimentStatus) -> OutcomeRecord:
    experiment = experiment_of(status)
    return {
        "id": status.id,
        "type": "set" if is_set(status) else "experiment",
        "state": str(status.state),
        "started": phrases.moment(status.started),
        "finished": phrases.moment(status.finished),
        "reason": experiment.reason or status.reason,
        "message": experiment.message or status.message,
        "exit_code": experiment.exit_code,
        "failed": outcome.failed(status),
    }
