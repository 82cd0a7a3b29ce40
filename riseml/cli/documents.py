"""Types of what `-o json` prints; the JSON Schemas of `riseml schema NAME` are made from them.

A command declares the type of its output next to the function that makes it:

    class FileRecord(TypedDict):
        '''A file or folder of a volume.'''

        name: str
        size: int | None
        '''In bytes; null for a folder.'''

    DOCUMENTS = {"ls": Document(list[FileRecord])}

The docstrings become descriptions. `make schemas` writes `riseml/schemas/ls.json`.
"""

from typing import Annotated, NamedTuple

from riseml.status import State

Time = Annotated[str, "date-time"]
"""An instant in UTC, as `2018-01-31T10:20:30Z`."""

StateName = Annotated[str, State]
"""The name of a state."""


class Document(NamedTuple):
    """A type of JSON data, and the version of its schema.

    The second number of the version rises with a new field, the first one with every
    change that a script could notice otherwise.
    """

    type: object
    version: str = "1.0"
