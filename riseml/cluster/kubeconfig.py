"""Kubeconfigs: how kubectl reaches clusters, from one file or several.

    KUBECONFIG=a:b ──merge──▶ context ──▶ cluster, user

What several files name is taken from the first one. Paths in a file are relative to it.
"""

import base64
import binascii
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from riseml.dataclass import dataclass, field
from riseml.errors import InvalidInputError
from riseml.excerpts import LONGEST, excerpt, listed
from riseml.schema import plain_yaml, text_file
from riseml.status import document as doc

_DEFAULT = "~/.kube/config"
_ADVICE = "Administrators set KUBECONFIG to a kubeconfig; users log in with a key: `riseml user login`."
_KINDS = {"contexts": "context", "clusters": "cluster", "users": "user"}


@dataclass(frozen=True)
class Section:
    """Cluster or user of a kubeconfig, and the folder to which its paths are relative."""

    name: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    def text(self, key: str) -> str:
        """Return a value as text, empty if it is missing or null."""
        return doc.text(self.content.get(key))

    def section(self, key: str) -> "Section":
        """Return an inner mapping, empty if there is none."""
        return Section(key, doc.mapping(self.content.get(key)), self.folder)

    def mappings(self, key: str) -> list[Mapping[str, Any]]:
        """Return the mappings in a list; anything else counts as an empty list."""
        return doc.mappings(self.content.get(key))

    def data(self, key: str) -> bytes | None:
        """Return the content of a file: of `KEY-data` in the kubeconfig, or of the file `KEY`.

        None means that the section has neither.

        Raises:
            InvalidInputError: the data is not Base64, or the file cannot be read.
        """
        inline = self.text(f"{key}-data")
        if inline:
            try:
                return base64.b64decode(inline, validate=True)
            except (binascii.Error, ValueError):
                raise unusable(f"{key}-data of {self.name} is not Base64") from None
        file = self.file(key)
        if file is None:
            return None
        try:
            return file.read_bytes()
        except (OSError, ValueError) as error:
            raise unusable(f"{key} of {self.name}: {error}") from None

    def file(self, key: str) -> Path | None:
        """Return the path that a key names, None without one."""
        text = self.text(key)
        return self.folder / text if text else None


@dataclass(frozen=True)
class Context:
    """Context of a kubeconfig; `paths` are the files that it was read from."""

    name: str
    namespace: str
    cluster: Section
    user: Section
    paths: str


def read(path: str | Path | None = None, context: str | None = None) -> Context:
    """Return a context; without a name the current one, without `path` of KUBECONFIG.

    Raises:
        InvalidInputError: a file is malformed, or there is no such context.
    """
    paths = str(path) if path else os.environ.get("KUBECONFIG") or _DEFAULT
    files = list(_files(paths))
    if not files:
        raise unusable(f"{excerpt(paths)} does not exist, or is empty")
    name = context or _current(files)
    if not name:
        raise unusable(f"{excerpt(paths)} names no current context")
    chosen = _section(files, "contexts", name)
    if not chosen.content:
        names = listed(_names(files, "contexts"))
        raise unusable(f"it has no context '{name}' (contexts: {names})")
    cluster = _section(files, "clusters", chosen.text("cluster"))
    if not cluster.text("server"):
        raise unusable(f"the cluster of the context '{name}' has no server")
    user = _section(files, "users", chosen.text("user"))
    return Context(name, chosen.text("namespace"), cluster, user, paths)


def unusable(reason: str) -> InvalidInputError:
    """Return the error for a kubeconfig that says no way to reach a cluster."""
    return InvalidInputError(
        f"no usable kubeconfig: {excerpt(reason, LONGEST)}", _ADVICE
    )


def _files(paths: str) -> Iterator[Section]:
    """Yield the content of each file; kubectl ignores those that do not exist."""
    for name in filter(None, paths.split(os.pathsep)):
        file = Path(name).expanduser().absolute()
        text = text_file.read(file, _ADVICE)
        if text:
            content = plain_yaml.parse(text, str(file), _ADVICE).content
            yield Section(name, content, file.parent)


def _current(files: list[Section]) -> str:
    for file in files:
        if file.text("current-context"):
            return file.text("current-context")
    return ""


def _section(files: list[Section], kind: str, name: str) -> Section:
    """Return a named section of the first file that has it, an empty one without any."""
    for file in files:
        for entry in file.mappings(kind):
            if doc.text(entry.get("name")) == name:
                content = doc.mapping(entry.get(_KINDS[kind]))
                return Section(name, content, file.folder)
    return Section(name)


def _names(files: list[Section], kind: str) -> Iterator[str]:
    for file in files:
        for entry in file.mappings(kind):
            yield doc.text(entry.get("name"))
