"""Volumes in an installation's values: the claims of `storage`, and `volumes`, the further volumes of jobs.

imagenet: {claim: imagenet, path: /data/imagenet}                a claim that exists in each user's namespace
corpus: {source: {nfs: {server: …, path: …}}, path: /corpus}     RiseML makes a volume and a claim for each user
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from riseml.volumes import Volume

ONE_NODE = "ReadWriteOnce"
ARTIFACTS = "artifacts"
DEFAULTS: dict[str, Any] = {
    "claim": "",
    "source": {},
    "path": "",
    "read_only": True,
}
"""The fields of a volume, which show their types."""

_Rule = tuple[re.Pattern[str], str]
_NAME = (
    re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"),
    "must have a name of lower-case letters, digits and dashes, at most 40",
)
_CLAIM = (
    re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)?"),
    "must be the name of a claim",
)
_MODE = (
    re.compile(f"ReadWriteMany|{ONE_NODE}"),
    f"must be ReadWriteMany or {ONE_NODE}",
)
_OUTPUTS = (
    re.compile(f"volume|{ARTIFACTS}"),
    f"must be volume or {ARTIFACTS}",
)
# Pods need some folders for something else. A volume may be below /data, but not in its place.
_PATH = (
    re.compile(
        r"(?!/data$|/(?:code|output|resume|riseml|rungs|store|dev|proc|sys|var/run/argo)(?:/|$))"
        r"(?:/(?!\.{1,2}(?:/|$))[^/]+)+"
    ),
    "must be an absolute path that pods need for nothing else, such as /data/imagenet",
)
_ORIGIN_RULE = "must have either a claim of each user's namespace, or the source of a PersistentVolume"


def faults(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with `volumes`, and with the claims of `storage`."""
    storage = settings["storage"]
    mode, claims = storage["accessMode"], storage["claims"]
    yield from _mismatch(_MODE, "storage.accessMode", mode)
    yield from _mismatch(_OUTPUTS, "storage.outputs", storage["outputs"])
    yield from _mismatch(_CLAIM, "storage.claims.data", claims["data"])
    yield from _mismatch(_CLAIM, "storage.claims.output", claims["output"])
    yield from _mismatch(_CLAIM, "storage.claims.store", claims["store"])
    keys_by_path: dict[str, str] = {}
    for name, entry in settings["volumes"].items():
        key = f"volumes.{name}"
        yield from _mismatch(_NAME, key, str(name))
        yield from _mismatch(_CLAIM, f"{key}.claim", entry["claim"])
        yield from _mismatch(_PATH, f"{key}.path", entry["path"])
        if bool(entry["claim"]) == bool(entry["source"]):
            yield f"'{key}' {_ORIGIN_RULE}"
        earlier = keys_by_path.setdefault(entry["path"], key)
        if earlier != key:
            yield f"'{key}.path' is that of '{earlier}', too"


def volumes(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of each `Volume`, as JSON data."""
    fields = []
    for name, entry in section.items():
        volume = Volume(
            name=str(name),
            claim=_claim(name, entry),
            path=entry["path"],
            read_only=entry["read_only"],
        )
        fields.append(vars(volume))
    return fields


def sources(section: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the sources of the volumes that RiseML makes, by the name of their claim."""
    by_claim = {}
    for name, entry in section.items():
        source = entry["source"]
        if source:
            claim = _claim(name, entry)
            by_claim[claim] = source
    return by_claim


def _claim(name: str, entry: Mapping[str, Any]) -> str:
    return entry["claim"] or f"riseml-volume-{name}"


def _mismatch(rule: _Rule, key: str, text: str) -> Iterator[str]:
    pattern, sentence = rule
    if not pattern.fullmatch(text):
        yield f"'{key}' {sentence}, not {text!r}"
