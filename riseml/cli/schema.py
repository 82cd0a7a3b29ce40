"""Command `riseml schema`."""

from riseml.cli import output


def command() -> None:
    """Print the JSON Schema of riseml.yml, for editors.

    Example:
      riseml schema > riseml.schema.json
      # and in riseml.yml:  # yaml-language-server: $schema=riseml.schema.json
    """
    from riseml.config import json_schema

    output.data(json_schema(), "json")
