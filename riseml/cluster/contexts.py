"""The clusters that this user knows: `contexts`, `clusters`, `users` of the user's settings file, as in a kubeconfig.

    current-context: lab
    contexts: [{name: lab, context: {cluster: lab, user: lab}}]
    clusters: [{name: lab, cluster: {server: https://…, certificate-authority-data: …, argo-server: https://…}}]
    users:    [{name: lab, user: {name: paul, api-key: …}}]          or {kubeconfig: FILE, context: NAME}

Settings (`engine: local`) stand in the same file and are kept; so are entries that nobody here understands.
"""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.errors import HomeError, InvalidInputError, NotFoundError

LOCAL = "local"
"""What `riseml config use` calls this machine: no context at all."""


@dataclass
class Contexts:
    """The settings file of one user; `save` writes it, readable for this user only."""

    path: Path
    content: dict[str, Any] = field(default_factory=dict)

    @property
    def current(self) -> str:
        """The name of the context in use, empty where runs are local."""
        return str(self.content.get("current-context") or "")

    @property
    def names(self) -> list[str]:
        """The names of all contexts."""
        return [str(each.get("name")) for each in self._list("contexts")]

    @property
    def kubeconfig(self) -> str:
        """The kubeconfig that the context in use comes from, empty where it comes from an API key."""
        chosen = self._entry("contexts", self.current, "context") or {}
        user = self._entry("users", chosen.get("user"), "user") or {}
        return str(user.get("kubeconfig") or "")

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, user and cluster of each context; a kubeconfig stands for what is in it."""
        for name in self.names:
            chosen = self._entry("contexts", name, "context") or {}
            cluster = self._entry("clusters", chosen.get("cluster"), "cluster") or {}
            user = self._entry("users", chosen.get("user"), "user") or {}
            who = _user(user, str(user.get("namespace") or ""))
            yield name, who, str(cluster.get("server") or user.get("kubeconfig") or "")

    def connection(self, name: str | None = None) -> Connection:
        """Return how to reach the cluster of a context, None: of the one in use.

        Raises:
            NotFoundError: there is no such context.
            InvalidInputError: it is not complete, or of RiseML 1.
        """
        name = name or self.current
        chosen = self._entry("contexts", name, "context")
        if chosen is None:
            known = ", ".join(self.names) or "none yet"
            raise NotFoundError(
                f"there is no context '{name}'",
                f"Contexts are: {known}. `riseml user login` adds one.",
            )
        cluster = self._entry("clusters", chosen.get("cluster"), "cluster") or {}
        user = self._entry("users", chosen.get("user"), "user") or {}
        argo = str(cluster.get("argo-server") or "")
        if user.get("kubeconfig"):
            found = from_kubeconfig(user["kubeconfig"], user.get("context"))
            namespace = str(user.get("namespace") or found.namespace)
            return Connection(
                **{
                    **vars(found),
                    "namespace": namespace,
                    "user": _user(user, namespace),
                    "argo": argo,
                    "name": name,
                }
            )
        if not cluster.get("server") or not user.get("api-key"):
            raise InvalidInputError(
                f"the context '{name}' in {self.path} does not name a server and a key",
                "It may be of RiseML 1. `riseml user login` writes a new one.",
            )
        authority = base64.b64decode(
            cluster.get("certificate-authority-data") or ""
        ).decode()
        namespace = str(
            user.get("namespace") or f"riseml-{user.get('name', '')}".lower()
        )
        return Connection(
            server=str(cluster["server"]).rstrip("/"),
            authority=authority,
            token=str(user["api-key"]),
            namespace=namespace,
            user=_user(user, namespace),
            argo=argo,
            name=name,
        )

    def put(self, name: str, cluster: dict[str, Any], user: dict[str, Any]) -> None:
        """Add or replace a context, and use it from now on."""
        context = {"cluster": name, "user": name}
        for kind, key, value in (
            ("contexts", "context", context),
            ("clusters", "cluster", cluster),
            ("users", "user", user),
        ):
            self.content[kind] = [
                each for each in self._list(kind) if each.get("name") != name
            ]
            self.content[kind].append({"name": name, key: value})
        self.content["current-context"] = name

    def use(self, name: str) -> None:
        """Run on the cluster of a context from now on, or with LOCAL on this machine.

        Raises:
            NotFoundError: there is no such context.
        """
        if name != LOCAL and name not in self.names:
            known = ", ".join([LOCAL, *self.names])
            raise NotFoundError(
                f"there is no context '{name}'", f"Contexts are: {known}."
            )
        self.content["current-context"] = "" if name == LOCAL else name

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            HomeError: it cannot be written.
        """
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(
                os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                "w",
                encoding="utf-8",
            ) as file:
                yaml.safe_dump(self.content, file, sort_keys=False, allow_unicode=True)
            part.replace(self.path)
        except OSError as error:
            advice = "Make it writable for you, or let RISEML_CONFIG name another file."
            raise HomeError(
                f"{self.path} cannot be written: {error.strerror}", advice
            ) from error

    def _list(self, kind: str) -> list[dict[str, Any]]:
        found = self.content.get(kind)
        return (
            [each for each in found if isinstance(each, dict)]
            if isinstance(found, list)
            else []
        )

    def _entry(self, kind: str, name: Any, key: str) -> dict[str, Any] | None:
        entry = next(
            (each.get(key) for each in self._list(kind) if each.get("name") == name),
            None,
        )
        return entry if isinstance(entry, dict) else None


def load(path: Path) -> Contexts:
    """Return the contexts of a settings file, none where it is not there; `settings.load` finds what is wrong in it."""
    try:
        content = yaml.load(
            path.read_text("utf-8"),
            getattr(yaml, "CSafeLoader", yaml.SafeLoader),  # noqa: S506 safe
        )
    except (OSError, ValueError, yaml.YAMLError):
        content = None
    return Contexts(path, content if isinstance(content, dict) else {})


def _user(user: dict[str, Any], namespace: str) -> str:
    return str(user.get("name") or namespace.removeprefix("riseml-"))
