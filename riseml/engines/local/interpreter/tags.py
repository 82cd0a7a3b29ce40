"""Tags: `{{inputs.parameters.lr}}` and what stands for it.

As with Argo, a tag that nobody knows passes unchanged, and what a tag was replaced by is read again one level further
down: a template is filled with the Workflow's and the node's own values first, then with its inputs.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Lookup = Callable[[str], str | None]
"""Returns what stands for a tag, None where nobody knows it."""

_EXPRESSIONS: tuple[tuple[re.Pattern[str], str, Callable[[str], str]], ...] = (
    (
        re.compile(r"""=fromJSON\('"' \+ item\['([^']+)'\] \+ '"'\)"""),
        "item.",
        lambda value: str(json.loads(f'"{value}"')),
    ),
    (
        re.compile(r"=replace\(inputs\.parameters\['([^']+)'\], '\$', '\$\$'\)"),
        "inputs.parameters.",
        lambda value: value.replace("$", "$$"),
    ),
)
"""What the compiler writes where Argo would escape a value, or the kubelet expand it: pattern, tag, meaning."""


def replace(text: str, lookup: Lookup) -> str:
    """Return the text with every known tag replaced."""
    if "{{" not in text:
        return text
    if (
        text.startswith("{{")
        and text.find("}}") == len(text) - 2
        and text.find("{{", 2) < 0
    ):
        value = _found(text[2:-2].strip(), lookup)
        return (
            text if value is None else value
        )  # the very object: many nodes share one value
    return "".join(_pieces(text, lookup))


def _pieces(text: str, lookup: Lookup) -> Iterator[str]:
    position = 0
    while (start := text.find("{{", position)) >= 0 and (
        end := text.find("}}", start)
    ) >= 0:
        yield text[position:start]
        tag, position = text[start + 2 : end], end + 2
        value = _found(tag.strip(), lookup)
        if (
            value is None
            and (inner := tag.rfind("{{")) > 0
            and (nested := lookup(tag[inner + 2 :])) is not None
        ):
            # Braces of somebody else's before a tag of ours
            yield f"{{{{{tag[:inner]}{nested}"
        else:
            yield f"{{{{{tag}}}}}" if value is None else value
    yield text[position:]


def _found(tag: str, lookup: Lookup) -> str | None:
    """Return what stands for a tag, or for one of the two expressions that keep a value as the user wrote it."""
    if not tag.startswith("="):
        return lookup(tag)
    for pattern, inner, act in _EXPRESSIONS:
        if (match := pattern.fullmatch(tag)) and (
            value := lookup(inner + match[1])
        ) is not None:
            return act(value)
    return None


def inner(tag: str) -> str:
    """Return the plain tag in an expression that is understood here, else the tag itself."""
    matches = ((pattern.fullmatch(tag), before) for pattern, before, _ in _EXPRESSIONS)
    return next((before + match[1] for match, before in matches if match), tag)


def fill(value: Any, lookup: Lookup) -> Any:
    """Return JSON data with the tags in all its texts replaced, keys included; parts without tags are shared."""
    if isinstance(value, str):
        return replace(value, lookup)
    if isinstance(value, Mapping):
        return {replace(key, lookup): fill(item, lookup) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, lookup) for item in value]
    return value


def tags(value: Any) -> Iterator[str]:
    """Yield the tags in all texts of JSON data, stripped."""
    if isinstance(value, str):
        position = 0
        while (start := value.find("{{", position)) >= 0 and (
            end := value.find("}}", start)
        ) >= 0:
            tag, position = value[start + 2 : end], end + 2
            yield tag[tag.rfind("{{") + 2 :].strip() if "{{" in tag else tag.strip()
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tags(key)
            yield from tags(item)
    elif isinstance(value, list):
        for item in value:
            yield from tags(item)


def item_values(item: Any) -> dict[str, str]:
    """Return what `{{item}}` and `{{item.key}}` mean for one entry of withItems.

    Argo takes the values of a map as they stand in JSON, without the quotes: a backslash comes out doubled.
    """
    if isinstance(item, Mapping):
        values = {f"item.{key}": written(value) for key, value in item.items()}
        return {
            **values,
            "item": json.dumps(
                item, separators=(",", ":"), sort_keys=True, ensure_ascii=False
            ),
        }
    return {"item": item if isinstance(item, str) else written(item)}


def item_name(task: str, index: int, item: Any) -> str:
    """Return the name of the task that a withItems task becomes for one of its items."""
    if isinstance(item, Mapping):
        text = ",".join(
            sorted(f"{key}:{written(value)}" for key, value in item.items())
        )
    else:
        text = written(item)
    return f"{task}({index}:{text.replace('(', '').replace(')', '')})"


def written(value: Any) -> str:
    """Return a value as JSON writes it, text without its quotes."""
    text = json.dumps(value, ensure_ascii=False)
    return text[1:-1] if isinstance(value, str) else text
