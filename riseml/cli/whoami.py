"""`riseml whoami`."""

from riseml.cli import output
from riseml.client.client import Client


def command() -> None:
    """Print who you are."""
    output.say(f"you are: {Client().whoami()}")
