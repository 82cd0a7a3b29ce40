"""Command `riseml whoami`."""

from typing import TypedDict

from riseml.cli import formats, options, output
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
    if formats.is_for_people(output_format):
        output.say(f"you are: {client.whoami()}")
        return
    record: IdentityRecord = {"user": client.whoami(), "engine": client.engine.name}
    data = formats.of_record(record, IdentityRecord, "user")
    formats.write_data(data, output_format)
