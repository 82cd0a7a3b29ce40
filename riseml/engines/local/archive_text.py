"""Text of a run.json, written in parts."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


def parts(
    fields: Mapping[str, Any],
    experiments: Iterable[str],
    default: Callable[[Any], Any] | None = None,
) -> Iterator[str]:
    """Yield the text of a run.json: `fields`, with a line for the JSON of each experiment.

    Python indents JSON ten times as slowly as it writes it on one line, and nothing else
    happens in a controller meanwhile: 4 s for 10,000 experiments. `default` converts
    values as for `json.dumps`.
    """
    separator = "{\n "
    for name, value in fields.items():
        yield f'{separator}"{name}": '
        separator = ",\n "
        if name == "experiments":
            yield from _array(experiments)
        else:
            # The text contains line breaks only between its items.
            text = json.dumps(value, default=default, indent=1)
            yield text.replace("\n", "\n ")
    yield "\n}"


def _array(texts: Iterable[str]) -> Iterator[str]:
    separator = "["
    for text in texts:
        yield f"{separator}\n  {text}"
        separator = ","
    yield "[]" if separator == "[" else "\n ]"
