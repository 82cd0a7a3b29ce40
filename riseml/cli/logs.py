"""Command `riseml logs`."""

import re
from datetime import datetime
from typing import Annotated

from riseml.cli import clock, follow, formats, options, output
from riseml.cli.parameters import Option
from riseml.client.client import Client
from riseml.errors import InvalidInputError

Follow = Annotated[
    bool,
    Option(
        "-f",
        "--follow/--no-follow",
        show_default=False,
        help="Keep printing until the end of the run, or print what there is.",
    ),
]
Tail = Annotated[
    int | None,
    Option(
        "--tail",
        metavar="N",
        min=0,
        show_default=False,
        help="Only the last N lines of each job. Default: all.",
    ),
]
Since = Annotated[
    str | None,
    Option(
        "--since",
        metavar="TIME",
        help="Only lines of the last 10m, 2h, 1d, or since an instant.",
        show_default=False,
    ),
]
Grep = Annotated[
    str | None,
    Option(
        "--grep",
        metavar="REGEX",
        help="Only lines that match.",
        show_default=False,
    ),
]


Timestamps = Annotated[
    bool,
    Option("-t", "--timestamps", help="Begin each line with the time it was written."),
]


def command(
    id: options.OneId = None,
    follow_: Follow = True,
    tail: Tail = None,
    since: Since = None,
    grep: Grep = None,
    timestamps: Timestamps = False,
    output_format: options.OutputFormat = "table",
) -> None:
    """Print and follow the logs of jobs.

    ID is a run, an experiment of a set, or a job. The lines of a single job have no
    prefix. Ctrl-C ends the view, never the run. `-o json` prints an object a line, and
    `-o name` the ids of the jobs.

    Examples:
      riseml logs                       the newest run
      riseml logs 14.3 --tail 20        an experiment of a set
      riseml logs 14.worker.2 --grep loss --no-follow
      riseml logs 14 --timestamps --since 10m
    """
    client = Client()
    parsed_id = client.find_id(id)
    # Mistyped values are reported before anything is read from the engine.
    pattern = _pattern(grep)
    _oldest(since)
    # With the ids of all jobs, every prefix has the same width from the first line on.
    status = client.status(parsed_id)
    # The status comes with the time of the cluster.
    oldest = _oldest(since)
    if output_format == "name":
        output.names(follow.jobs(status))
        return
    # `wide` of other commands adds columns, too.
    timed = timestamps or output_format != "table"
    events = client.logs(
        parsed_id, follow=follow_, tail=tail, since=oldest, times=timed
    )
    try:
        if formats.is_for_people(output_format):
            names = list(follow.job_names(status))
            job = names[0] if parsed_id.kind == "job" else None
            follow.show(events, names, only=job, grep=pattern, timed=timed)
        else:
            from riseml.cli import log_records

            log_records.show(events, output_format, pattern)
    except KeyboardInterrupt:
        follow.detach(str(parsed_id.experiment))


def _oldest(since: str | None) -> datetime | None:
    return options.parse_instant(since, clock.now()) if since else None


def _pattern(text: str | None) -> re.Pattern[bytes] | None:
    if text is None:
        return None
    try:
        # Jobs may write bytes in any encoding.
        return re.compile(text.encode())
    except re.error as error:
        message = f"'{text}' is not a regular expression: {error}"
        raise InvalidInputError(message) from None
