"""Reference of riseml.yml, from the declarations of its keys: the same that read and check it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from riseml.config import FILE
from riseml.schema.fields import Mapped, PluginName, Record, Value
from riseml.schema.messages import one_of
from riseml.schema.resources import RESOURCES

_NAME = "NAME"
_METHOD = "method"
# Keys of these levels have a heading of the second level.
_TOP_LEVELS = 2


@dataclass
class Entry:
    """One key: its path, what it accepts, and the forms of its mapping that have it."""

    path: tuple[str, ...]
    value: Value[Any]
    is_required: bool
    context: dict[str, Any]
    forms: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The path with dots."""
        return ".".join(self.path)

    @property
    def example(self) -> dict[str, Any]:
        """A file with nothing but the example, and what its mappings require besides."""
        nested: dict[str, Any] = _nested(self.path, self.value.example, self.context)
        return nested


def entries() -> list[Entry]:
    """Return the entry of each key, in the order of the file."""
    collected: list[Entry] = []
    for entry in _walk((), FILE):
        for earlier in collected:
            if earlier.path == entry.path and _says_the_same(earlier, entry):
                earlier.forms += entry.forms
                break
        else:
            collected.append(entry)
    return collected


def markdown() -> str:
    """Return an overview of all keys, and a section for each."""
    everything = entries()
    lines = ["## All keys", "", "| key | meaning | default |", "|---|---|---|"]
    names = Counter(entry.name for entry in everything)
    lines += [_row(entry, names) for entry in everything]
    lines.append("")
    for entry in everything:
        lines += _section(entry, names)
    return "\n".join(lines)


def _walk(path: tuple[str, ...], value: Value[Any]) -> Iterator[Entry]:
    """Yield the keys of all mappings that a value may be."""
    for form, mapping in value.mappings().items():
        if isinstance(mapping, Mapped):
            yield from _walk((*path, _NAME), mapping.value)
        elif isinstance(mapping, Record):
            yield from _walk_record(path, mapping, form)


def _walk_record(
    path: tuple[str, ...], record: Record[Any], form: str
) -> Iterator[Entry]:
    for key in record.names():
        value = record.find(key)
        if value is None:
            continue
        others = _required(record, key)
        # The section of a strategy is chosen by its name.
        if form and _METHOD in record.names() and key != _METHOD:
            others[_METHOD] = form
        entry = Entry((*path, key), value, key in record.required, others)
        entry.forms = [form] if form else []
        yield entry
        # The keys of `train.resources` are described there.
        is_known = getattr(value, "keys", None) is RESOURCES.keys and len(path) > 1
        if not is_known:
            yield from _walk(entry.path, value)


def _required(record: Record[Any], key: str) -> dict[str, Any]:
    """Return examples of what a mapping requires besides a key."""
    examples = {}
    for name in record.required:
        value = record.find(name)
        if name != key and value is not None:
            examples[name] = value.example
    return examples


def _says_the_same(one: Entry, other: Entry) -> bool:
    if one.is_required != other.is_required:
        return False
    notes = ("about", "default", "otherwise")
    return all(getattr(one.value, note) == getattr(other.value, note) for note in notes)


def _nested(path: tuple[str, ...], value: Any, context: dict[str, Any]) -> Any:
    """Return a value below its keys, with what the innermost mapping requires."""
    *outer, key = (_example_name(path, index) for index in range(len(path)))
    nested: Any = {**context, key: value}
    for name in reversed(outer):
        nested = {name: nested}
    return nested


def _example_name(path: tuple[str, ...], index: int) -> str:
    """Return a key as an example writes it; users choose some names."""
    if path[index] != _NAME:
        return path[index]
    return {"results": "loss", "parameters": "lr"}[path[index - 1]]


def _row(entry: Entry, names: Counter[str]) -> str:
    about = entry.value.about.replace("|", "\\|")
    link = f"[`{entry.name}`](#{_anchor(entry, names)})"
    return f"| {link} | {about} | {_default(entry)} |"


def _anchor(entry: Entry, names: Counter[str]) -> str:
    words = list(entry.path)
    if names[entry.name] > 1:
        words += entry.forms
    return "-".join(words).lower().replace("_", "-")


def _default(entry: Entry) -> str:
    """Return the default for a table; what is long is in the section."""
    if entry.is_required:
        return "*required*"
    if entry.value.default is None:
        return "" if entry.value.otherwise else "none"
    return f"`{_inline(entry.value.default)}`"


def _section(entry: Entry, names: Counter[str]) -> Iterator[str]:
    value = entry.value
    suffix = f" ({', '.join(entry.forms)})" if names[entry.name] > 1 else ""
    level = "##" if len(entry.path) <= _TOP_LEVELS else "###"
    yield f"({_anchor(entry, names)})="
    yield f"{level} `{entry.name}`{suffix}"
    yield ""
    yield value.about
    yield ""
    yield f":Value: {_expected(entry)}"
    if entry.is_required:
        yield ":Default: none; the key is required"
    elif value.default is not None:
        yield f":Default: `{_inline(value.default)}`"
    else:
        yield f":Default: {value.otherwise.removeprefix('it is ')}"
    if where := _where(entry):
        yield f":Where: {where}"
    if value.local:
        yield f":On one machine: {value.local}"
    if value.cluster:
        yield f":On a cluster: {value.cluster}"
    if not value.local and not value.cluster:
        yield ":Engines: the same on one machine and on a cluster"
    yield ""
    yield "```yaml"
    yield yaml.safe_dump(entry.example, sort_keys=False, width=100).rstrip()
    yield "```"
    yield ""


def _where(entry: Entry) -> str:
    """Return which forms of the mapping have the key, empty if all have it."""
    if not entry.forms or entry.path[-1] == _METHOD:
        return ""
    forms = ", ".join(f"`{form}`" for form in entry.forms)
    if "search" in entry.path:
        return f"with `method:` {forms}"
    notes = [] if entry.path[-1] in entry.forms else [f"beside {forms}"]
    if "range" not in entry.forms:
        notes.append("with a `search` that draws values, such as `method: random`")
    return "; ".join(notes)


def _expected(entry: Entry) -> str:
    """Return what a key accepts, as messages say it."""
    if entry.path[-1] == _METHOD:
        return one_of(entry.forms)
    if isinstance(entry.value, PluginName):
        return one_of(entry.value.names())
    return entry.value.expected


def _inline(value: Any) -> str:
    """Return a value as one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")
