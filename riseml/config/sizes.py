"""Sizes of values: Linux gives a process no argument and no variable of more than 128 KiB."""

from collections.abc import Iterable, Iterator, Mapping

from yaml.nodes import ScalarNode

from riseml.config import placeholders
from riseml.excerpts import excerpt
from riseml.plan import variable_of
from riseml.schema.yaml_document import Document

# The end of an argument counts as one byte.
MOST_BYTES = (128 << 10) - 1
# The run script adds a few characters to a line.
MOST_LINE_BYTES = 128_000
_ADVICE = "Write it into a file of the project, and read that."

Values = Mapping[str, Iterable[ScalarNode]]


def check(
    lines: Iterable[ScalarNode],
    env: Iterable[tuple[str, ScalarNode]],
    parameters: Values,
    doc: Document,
) -> None:
    """Note lines, variables and values of parameters that no process can be given."""
    longest = dict(_longest(parameters, doc))
    for name, node in env:
        size = len(f"{name}=".encode()) + _size(node, longest)
        _note(f"env.{excerpt(name)}", size, MOST_BYTES, node, doc)
    for node in lines:
        _note("a command", _size(node, longest), MOST_LINE_BYTES, node, doc)


def _longest(parameters: Values, doc: Document) -> Iterator[tuple[str, int]]:
    """Yield the bytes of the longest value of each parameter; note values that are too long."""
    for name, nodes in parameters.items():
        longest = 0
        prefix = len(f"{variable_of(name)}=".encode())
        for node in nodes:
            size = len(node.value.encode("utf-8", "replace"))
            longest = max(longest, size)
            subject = f"a value of parameters.{excerpt(name)}"
            _note(subject, prefix + size, MOST_BYTES, node, doc)
        yield name, min(longest, MOST_BYTES)


def _size(node: ScalarNode, longest: Mapping[str, int]) -> int:
    """Return the bytes of a text with the longest values of its placeholders."""
    size = len(node.value.encode("utf-8", "replace"))
    for use in placeholders.uses([node]):
        size += longest.get(use.name, len(use.text)) - len(use.text)
    return size


def _note(subject: str, size: int, most: int, node: ScalarNode, doc: Document) -> None:
    if size > most:
        message = (
            f"{subject} has {size:,} bytes, but a process can be given at most {most:,}"
        )
        doc.error(node, message, _ADVICE)
