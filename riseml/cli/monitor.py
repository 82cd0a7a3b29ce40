"""Command `riseml monitor`."""

import json
import sys
from contextlib import closing
from time import sleep
from typing import TYPE_CHECKING, Annotated

from riseml.cli import (
    clock,
    formats,
    live,
    options,
    output,
    reader_exit,
    terminal,
    usage_records,
    usage_screen,
)
from riseml.cli.parameters import Argument, Option
from riseml.cli.statuses import AnyStatus
from riseml.cli.usage_records import JobUsageRecord, UsageRecord
from riseml.client.client import Client
from riseml.dataclass import dataclass, replace
from riseml.readings import JobUsage

if TYPE_CHECKING:
    from riseml.engines.views import UsageView

AnyId = Annotated[
    str | None,
    Argument(
        metavar="ID",
        show_default=False,
        help="A run, experiment or job. Default: all that is running.",
    ),
]
Gpus = Annotated[bool, Option("-g", "--gpu", help="Show the GPUs of each job.")]
Watch = Annotated[
    bool | None,
    Option(
        "-w",
        "--watch/--once",
        show_default=False,
        help="Keep updating until Ctrl-C, or measure once. On a terminal it updates.",
    ),
]
Interval = Annotated[
    str,
    Option("-i", "--interval", metavar="TIME", help="Time between readings: 1s, 1m."),
]

_INTERVAL, _LEAST_SECONDS = "1s", 0.1
_FAREWELL = "\nThe jobs continue in the background; `riseml monitor` shows this again."


def command(
    id: AnyId = None,
    gpu: Gpus = False,
    watch: Watch = None,
    interval: Interval = _INTERVAL,
    output_format: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """Show what running jobs use: CPU, memory, GPUs, disk, network.

    On a terminal, the screen is redrawn every second, with curves of the last minute.
    Elsewhere, and with -o, it measures once; with -w it continues, as one JSON document
    per line with -o json.

    Examples:
      riseml monitor
      riseml monitor 14.3 -g
      riseml monitor -o json | jq '.jobs[] | select(.cpu < 0.1).id'
      riseml monitor 14 -w -o json >> usage.jsonl
    """
    client = Client()
    # The pace of all screens is the default.
    seconds = live.TICK_SECONDS
    if interval != _INTERVAL:
        seconds = options.parse_duration(interval).total_seconds()
        seconds = max(seconds, _LEAST_SECONDS)
    style = _Style(output_format, gpu, not no_headers, seconds)
    is_for_people = formats.is_for_people(output_format)
    if is_for_people and terminal.stdout().interactive and watch is not False:
        _show(client, id, style)
    else:
        _print(client, id, style, is_repeated=bool(watch))


@dataclass(frozen=True)
class _Style:
    """How to print: the format, whether GPUs, with titles, and the seconds between readings."""

    output_format: str
    gpus: bool
    headers: bool
    seconds: float

    @property
    def is_wide(self) -> bool:
        return self.output_format == "wide"


class _Jobs:
    """The jobs that an id selects, with the curves of the last minute."""

    def __init__(self, client: Client, id: str | None, view: "UsageView") -> None:
        self._client, self._id, self._view = client, id, view
        self.history = usage_screen.History()
        self.end: AnyStatus | None = None

    def read(self) -> list[JobUsage]:
        """Return what the jobs use now; `end` is set when all of them have ended."""
        usages = self._view.read()
        self.history.add(usages)
        if not usages and self._id is not None:
            status = self._client.status(self._id)
            self.end = status if status.state.is_terminal else None
        return usages

    def lines(
        self, usages: list[JobUsage], style: _Style, room: int | None
    ) -> list[str]:
        """Return the lines of a screen, at most `room` of them."""
        screen = terminal.stdout()
        if not usages:
            return [self.idle_text()]
        if style.gpus:
            return usage_screen.gpu_lines(usages, screen, headers=style.headers)
        return usage_screen.lines(
            usages,
            self.history,
            screen,
            room=room,
            wide=style.is_wide,
            headers=style.headers,
        )

    def idle_text(self) -> str:
        """Return why there is nothing to show."""
        if self._id is None:
            return "Nothing is running."
        if self.end is None:
            return (
                f"No job of {self._id} is running; `riseml status {self._id}` says why."
            )
        return (
            f"{self._id} has ended: {self.end.state}. "
            f"`riseml status {self.end.id} -o wide` shows what it used."
        )


def _show(client: Client, id: str | None, style: _Style) -> None:
    with closing(client.open_usage(id)) as view:
        jobs = _Jobs(client, id, view)
        live.watch(
            jobs.read,
            lambda usages: jobs.lines(usages, style, live.room()),
            lambda _: {},
            lambda _: jobs.end is not None,
            farewell=_FAREWELL,
            pause=style.seconds,
        )


def _print(client: Client, id: str | None, style: _Style, *, is_repeated: bool) -> None:
    with closing(client.open_usage(id)) as view, reader_exit.watched():
        jobs = _Jobs(client, id, view)
        printer = _Printer(jobs, style, is_repeated=is_repeated)
        while True:
            usages = jobs.read()
            printer.write(usages)
            if jobs.end is not None or not is_repeated:
                return
            sys.stdout.flush()
            sleep(style.seconds)


class _Printer:
    """Writes one reading after the other, in any format."""

    def __init__(self, jobs: _Jobs, style: _Style, *, is_repeated: bool) -> None:
        self._jobs, self._style, self._is_repeated = jobs, style, is_repeated
        self._is_first = True
        self._idle_text = ""

    def write(self, usages: list[JobUsage]) -> None:
        """Write a reading."""
        if formats.is_for_people(self._style.output_format):
            self._write_table(usages)
        else:
            self._write_record(usage_records.record(usages, clock.now()))
        self._is_first = False

    def _write_table(self, usages: list[JobUsage]) -> None:
        text = "" if usages else self._jobs.idle_text()
        if text and text != self._idle_text:
            # Nobody needs to read it every second.
            output.note(text)
        self._idle_text = text
        if text:
            return
        if not self._is_first:
            output.say("")
        output.lines(self._jobs.lines(usages, self._style, None))

    def _write_record(self, record: UsageRecord) -> None:
        output_format = self._style.output_format
        if output_format == "json" and self._is_repeated:
            output.write_exactly(json.dumps(record, ensure_ascii=False) + "\n")
            return
        rows = formats.of_records(record["jobs"], JobUsageRecord, "id")
        data = replace(rows, records=record)
        if output_format == "csv":
            self._write_csv(data, record["time"])
            return
        if not self._is_first and output_format == "yaml":
            output.say("---")
        formats.write_data(data, output_format)

    def _write_csv(self, data: formats.Data, time: str) -> None:
        # Readings follow one another in one file.
        rows = [[time, *row] for row in data.rows]
        has_titles = self._is_first and self._style.headers
        titles = [["time", *data.titles]] if has_titles else []
        output.csv([*titles, *rows])
