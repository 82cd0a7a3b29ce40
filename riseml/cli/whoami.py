"""Command `riseml whoami`."""

from riseml.cli import output
from riseml.client.client import Client


def command() -> None:
    """Print the current user."""
    output.say(f"you are: {Client().whoami()}")
