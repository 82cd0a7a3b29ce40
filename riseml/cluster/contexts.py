"""Contexts in the user's settings file: `contexts`, `clusters` and `users`.

    current-context: lab
    contexts: [{name: lab, context: {cluster: lab, user: lab}}]
    clusters: [{name: lab, cluster: {server: https://…, certificate-authority-data: …, argo-server: https://…}}]
    users:    [{name: lab, user: {name: paul, api-key: …}}]          or {kubeconfig: FILE, context: NAME}

The format is that of a kubeconfig. The file also contains settings (`engine: local`),
and perhaps entries that this version does not know; both are preserved.
"""

import base64
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import get_ident
from typing import Any

import yaml

from riseml.cluster import PREFIX, namespace_of
from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.dataclass import dataclass, field, replace
from riseml.errors import HomeError, InvalidInputError, NotFoundError, RiseMLError
from riseml.excerpts import listed
from riseml.schema import plain_yaml, text_file
from riseml.status import document as doc

LOCAL = "local"
"""Name by which `riseml config use` selects this machine, which needs no context."""

# The key of each list's entries that contains their content.
_CONTENT_KEYS = {"contexts": "context", "clusters": "cluster", "users": "user"}


@dataclass
class Contexts:
    """Settings file of one user. `save` writes it, readable for that user only."""

    path: Path
    content: dict[str, Any] = field(default_factory=dict)

    @property
    def current(self) -> str:
        """The name of the current context, empty if runs are local."""
        return _text(self.content, "current-context")

    @property
    def is_chosen(self) -> bool:
        """Whether the user has ever chosen a context, or this machine."""
        return "current-context" in self.content

    @property
    def names(self) -> list[str]:
        """The names of all contexts."""
        return [str(entry.get("name")) for entry in self._entries("contexts")]

    @property
    def kubeconfig(self) -> str:
        """The kubeconfig of the current context, empty if it uses an API key."""
        context = self._content("contexts", self.current)
        user = self._content("users", context.get("user"))
        return _text(user, "kubeconfig")

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield the name, user and server of each context.

        A context that refers to a kubeconfig has its file in place of the server.
        """
        for name in self.names:
            context = self._content("contexts", name)
            cluster = self._content("clusters", context.get("cluster"))
            user = self._content("users", context.get("user"))
            user_name = _user_name(user, _text(user, "namespace"))
            server = _text(cluster, "server") or _text(user, "kubeconfig")
            yield name, user_name, server

    def connection(self, name: str | None = None) -> Connection:
        """Return the connection for a context; without `name`, for the current one.

        Raises:
            NotFoundError: there is no such context, or none is chosen.
            InvalidInputError: it is incomplete, or was written by RiseML 1.
        """
        name = name or self.current
        if not name:
            raise NotFoundError(
                "no context is chosen",
                "Choose one with `riseml config use`, or log in with `riseml user login`.",
            )
        context = self._content("contexts", name)
        if not context:
            names = listed(self.names, "none yet")
            raise NotFoundError(
                f"there is no context '{name}'",
                f"Contexts: {names}. Add one with `riseml user login`.",
            )
        cluster = self._content("clusters", context.get("cluster"))
        user = self._content("users", context.get("user"))
        if user.get("kubeconfig"):
            connection = _kubeconfig_connection(user)
        elif cluster.get("server") and user.get("api-key"):
            connection = _key_connection(cluster, user)
        else:
            raise InvalidInputError(
                f"the context '{name}' in {self.path} does not contain a server and a key",
                "It may have been written by RiseML 1. Replace it with `riseml user login`.",
            )
        return replace(connection, argo=_text(cluster, "argo-server"), name=name)

    def put(self, name: str, cluster: dict[str, Any], user: dict[str, Any]) -> None:
        """Add or replace a context, and make it current."""
        context = {"cluster": name, "user": name}
        contents = {"contexts": context, "clusters": cluster, "users": user}
        for kind, content in contents.items():
            entries = [
                entry for entry in self._entries(kind) if entry.get("name") != name
            ]
            entries.append({"name": name, _CONTENT_KEYS[kind]: content})
            self.content[kind] = entries
        self.content["current-context"] = name

    def use(self, name: str) -> None:
        """Make a context current, or with LOCAL none.

        Raises:
            NotFoundError: there is no such context.
        """
        if name != LOCAL and name not in self.names:
            names = ", ".join([LOCAL, *self.names])
            raise NotFoundError(f"there is no context '{name}'", f"Contexts: {names}.")
        self.content["current-context"] = "" if name == LOCAL else name

    def save(self) -> None:
        """Write the file atomically.

        Raises:
            HomeError: it cannot be written.
        """
        text = yaml.safe_dump(self.content, sort_keys=False, allow_unicode=True)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}-{get_ident()}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The file contains keys: it must never be readable for others.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            descriptor = os.open(partial, flags, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            partial.replace(self.path)
        except OSError as error:
            raise HomeError(
                f"{self.path} cannot be written: {error.strerror}",
                "Make it writable, or set RISEML_CONFIG to another file.",
            ) from error

    def _entries(self, kind: str) -> list[Mapping[str, Any]]:
        # Users edit the file by hand.
        return doc.mappings(self.content.get(kind))

    def _content(self, kind: str, name: Any) -> Mapping[str, Any]:
        """Return the content of a named entry, empty if there is none."""
        for entry in self._entries(kind):
            if entry.get("name") == name:
                return doc.mapping(entry.get(_CONTENT_KEYS[kind]))
        return {}


def load(path: Path) -> Contexts:
    """Return the contexts of a settings file, without any if it cannot be read.

    `settings.load` reports its faults.
    """
    try:
        text = text_file.read(path, "")
        content = plain_yaml.parse(text or "", str(path), "").content
    except RiseMLError:
        content = {}
    return Contexts(path, content)


def _kubeconfig_connection(user: Mapping[str, Any]) -> Connection:
    context = _text(user, "context") or None
    connection = from_kubeconfig(_text(user, "kubeconfig"), context)
    namespace = _text(user, "namespace") or connection.namespace
    return replace(connection, namespace=namespace, user=_user_name(user, namespace))


def _key_connection(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Connection:
    try:
        authority = base64.b64decode(_text(cluster, "certificate-authority-data"))
        pem = authority.decode()
    except ValueError:
        raise InvalidInputError(
            "the certificate-authority-data of the context is not Base64 of PEM text",
            "Log in again: `riseml user login`.",
        ) from None
    namespace = _text(user, "namespace") or namespace_of(_text(user, "name"))
    return Connection(
        server=str(cluster["server"]).rstrip("/"),
        authority=pem,
        token=str(user["api-key"]),
        namespace=namespace,
        user=_user_name(user, namespace),
    )


def _user_name(user: Mapping[str, Any], namespace: str) -> str:
    return _text(user, "name") or namespace.removeprefix(PREFIX)


def _text(mapping: Mapping[str, Any], key: str) -> str:
    """Return a value as text, empty if it is missing or null."""
    return str(mapping.get(key) or "")
