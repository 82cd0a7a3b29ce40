"""Documents as text: YAML for people, JSON for machines.

Every string that some reader of YAML (1.1, 1.2, Go's) could take for something else is quoted, so `1e-6`, `no` and
`2018-05-09` come back as they are; scripts are blocks. The order is a person's: names first, short things before long.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_WORD = r"[A-Za-z0-9_./@+=,()-]+(?::[A-Za-z0-9_./@+=,()-]+)*"
_PLAIN = re.compile(rf"(?=[A-Za-z/]){_WORD}(?: {_WORD})*")
_MEANT = re.compile(r"(?i:y|n|t|f|yes|no|on|off|true|false|null|nan|inf|infinity)")
_UNFIT = re.compile(
    "[^\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_ENDLESS = 1 << 30


def to_yaml(document: Any) -> str:
    """Return JSON data as YAML that reads back to the same data."""
    # Not cheap, and JSON needs none of it
    import yaml  # noqa: PLC0415

    fast = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper: Any = type(
        "_Dumper", (fast,), {"ignore_aliases": lambda _self, _data: True}
    )
    dumper.add_representer(
        str,
        lambda it, text: it.represent_scalar(
            "tag:yaml.org,2002:str", text, style=_style(text)
        ),
    )
    text: str = yaml.dump(
        _ordered(document),
        Dumper=dumper,
        sort_keys=False,
        allow_unicode=True,
        width=_ENDLESS,
    )
    return text


def to_json(document: Any) -> str:
    """Return JSON data as one line."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def scalar(text: str) -> str:
    """Return one line of YAML that reads back to this text."""
    if _is_plain(text):
        return text
    return (
        f"'{text}'"
        if not _UNFIT.search(text) and not {"'", "\n"} & set(text)
        else quoted(text)
    )


def quoted(text: str) -> str:
    """Return one line of YAML in double quotes that reads back to this text, whatever is in it."""
    return _ESCAPED.sub(
        lambda odd: f"\\u{ord(odd[0]):04x}", json.dumps(text, ensure_ascii=False)
    )


def _style(text: str) -> str | None:
    if _is_plain(text):
        return None
    if _UNFIT.search(text):
        return '"'
    return "|" if "\n" in text else "'"


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and not _MEANT.fullmatch(text)


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(item) for key, item in sorted(value.items(), key=_rank)}
    return (
        [_ordered(item) for item in value] if isinstance(value, list | tuple) else value
    )


def _rank(entry: tuple[str, Any]) -> int:
    key, value = entry
    if key in ("apiVersion", "kind", "name"):
        return 0
    return 2 if isinstance(value, list | tuple | Mapping) else 1
