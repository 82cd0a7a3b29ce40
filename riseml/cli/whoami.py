"""Command `riseml whoami`."""

from typing import TypedDict

from riseml.cli import formats, options, output
from riseml.cli.documents import Document
from riseml.client.client import Client
from riseml.status import key_holder


class IdentityRecord(TypedDict):
    """Who runs experiments, and where."""

    user: str
    engine: str
    """local is this machine, and argo a cluster."""
    login: str | None
    """The name by which the cluster knows this person; null on this machine."""


DOCUMENTS = {"whoami": Document(IdentityRecord)}


def command(output_format: options.OutputFormat = "table") -> None:
    """Print the current user.

    On a cluster, the name follows by which the cluster knows you.

    Example:
      riseml whoami -o name
    """
    client = Client()
    user, login = client.whoami(), client.login()
    if formats.is_for_people(output_format):
        person = key_holder.person(login, user)
        suffix = f" ({person})" if person else ""
        output.say(f"you are: {user}{suffix}")
        return
    record: IdentityRecord = {
        "user": user,
        "engine": client.engine.name,
        "login": login or None,
    }
    data = formats.of_record(record, IdentityRecord, "user")
    formats.write_data(data, output_format)
