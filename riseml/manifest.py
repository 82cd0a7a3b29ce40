"""Documents as text: YAML for people, JSON for machines.

Every string that a YAML reader (1.1, 1.2, Go's) could read as another type is quoted, so `1e-6`, `no` and
`2018-05-09` stay strings. Scripts are blocks. The keys are in an order for people: names first, short values before
long ones.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_WORD = r"[A-Za-z0-9_./@+=,()-]+(?::[A-Za-z0-9_./@+=,()-]+)*"
_PLAIN = re.compile(rf"(?=[A-Za-z/]){_WORD}(?: {_WORD})*")
# Words that YAML 1.1 reads as truth values, null or numbers.
_OTHER_TYPE = re.compile(r"(?i:y|n|t|f|yes|no|on|off|true|false|null|nan|inf|infinity)")
# Characters that only double quotes can escape.
_NEEDS_ESCAPE = re.compile(
    "[\0-\t\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
# On one line, a single quote and a line break need them as well.
_NEEDS_DOUBLE_QUOTES = re.compile(rf"['\n]|{_NEEDS_ESCAPE.pattern}")
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
# Keys that come first, before short values (1) and long ones (2).
_KEY_RANKS = dict.fromkeys(("apiVersion", "kind", "name"), 0)
# PyYAML folds longer lines.
_MAX_LINE = 1 << 30


def to_yaml(document: Any) -> str:
    """Return JSON data as YAML that reads back to the same data."""
    # YAML takes long to load, and JSON does not need it.
    import yaml  # noqa: PLC0415

    fast = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper: Any = type(
        "_Dumper", (fast,), {"ignore_aliases": lambda _self, _data: True}
    )
    dumper.add_representer(
        str,
        lambda representer, text: representer.represent_scalar(
            "tag:yaml.org,2002:str", text, style=_style(text)
        ),
    )
    text: str = yaml.dump(
        _ordered(document),
        Dumper=dumper,
        sort_keys=False,
        allow_unicode=True,
        width=_MAX_LINE,
    )
    return text


def to_json(document: Any) -> str:
    """Return JSON data as one line."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def scalar(text: str) -> str:
    """Return one line of YAML that reads back to this text."""
    if _is_plain(text):
        return text
    if _NEEDS_DOUBLE_QUOTES.search(text):
        return quoted(text)
    return f"'{text}'"


def quoted(text: str) -> str:
    """Return one line of YAML in double quotes that reads back to this text, with any characters."""
    # JSON's escapes are valid YAML, but YAML needs more of them.
    return _ESCAPED.sub(
        lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False)
    )


def _style(text: str) -> str | None:
    if _is_plain(text):
        return None
    if _NEEDS_ESCAPE.search(text):
        return '"'
    return "|" if "\n" in text else "'"


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and not _OTHER_TYPE.fullmatch(text)


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(item) for key, item in sorted(value.items(), key=_rank)}
    if isinstance(value, list | tuple):
        return list(map(_ordered, value))
    return value


def _rank(entry: tuple[str, Any]) -> int:
    key, value = entry
    is_long = isinstance(value, list | tuple | Mapping)
    return _KEY_RANKS.get(key, 1 + is_long)
