"""Command `riseml whoami`."""

from typing import TypedDict

from riseml.cli import options, output, report
from riseml.cli.documents import Document
from riseml.client.client import Client


class IdentityRecord(TypedDict):
    """Who runs experiments, and where."""

    user: str
    engine: str
    """local is this machine, and argo a cluster."""


DOCUMENTS = {"whoami": Document(IdentityRecord)}


def command(output_format: options.OutputFormat = "table") -> None:
    """Print the current user.

    Example:
      riseml whoami -o name
    """
    client = Client()
    if report.is_for_people(output_format):
        output.say(f"you are: {client.whoami()}")
        return
    record: IdentityRecord = {"user": client.whoami(), "engine": client.engine.name}
    data = report.of_record(record, IdentityRecord, "user")
    report.write_data(data, output_format)
