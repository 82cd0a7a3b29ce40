"""Users: each is a namespace, and the token of an account in it that may do nothing anywhere else.

    create ──▶ namespace, rights, claims, store ──▶ token ──▶ API key        disable: the account goes, jobs stay

E-mail and whether a user may come in are annotations of the namespace. All this is for administrators.
"""

import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from riseml import labels
from riseml.cluster import (
    SETTINGS,
    USER_ACCOUNT,
    certificates,
    keys,
    namespace_objects,
    namespace_of,
)
from riseml.cluster.api import Api, Object, path
from riseml.cluster.connection import Connection
from riseml.cluster.namespace_objects import EMAIL, ENABLED, QUOTA, Offer
from riseml.errors import InvalidInputError, NotFoundError, RiseMLError, TimedOutError

Limits = Mapping[str, str | None]
"""Of cpus, mem, gpus: what all running jobs of a user may ask for together; None for no limit."""

TOKEN = f"{USER_ACCOUNT}.service-account-token"
"""The Secret that holds a user's token."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]")
_LONGEST = 40
_RESERVED = frozenset({"all", "default", "local", "none", "system"})
# Seconds for the cluster to make a token
_TOKEN_WAIT = 30.0


@dataclass(frozen=True)
class User:
    """A user as the cluster knows it. `limits` and `used` are the quota's, in Kubernetes' words; `key` where asked."""

    name: str
    email: str
    enabled: bool
    namespace: str
    limits: Mapping[str, str]
    used: Mapping[str, str]
    key: str = field(default="", repr=False)


def checked_name(name: str) -> str:
    """Return a user's name as it is kept: in lower case.

    Raises:
        InvalidInputError: it can be nobody's.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        advice = f"Use 2 to {_LONGEST} letters, digits and dashes, with no dash at either end."
        raise InvalidInputError(f"'{name}' cannot be a user's name", advice)
    if name.lower() in _RESERVED:
        raise InvalidInputError(f"'{name}' is reserved", "Choose another name.")
    return name.lower()


def checked_email(email: str) -> str:
    """Return an e-mail address.

    Raises:
        InvalidInputError: it is none.
    """
    if "@" not in email.strip("@") or email != email.strip():
        raise InvalidInputError(
            f"'{email}' is no e-mail address", "Write for example paul@example.com."
        )
    return email


class Users:
    """The users of a cluster, for its administrator; `server` is where users reach it, if not as the administrator."""

    def __init__(
        self, api: Api, offer: Offer | None = None, *, server: str = ""
    ) -> None:
        self.api, self.offer = api, offer or Offer()
        self.server = server or api.connection.server

    def create(self, name: str, email: str, limits: Limits | None = None) -> User:
        """Make a user and return it with its key.

        Raises:
            InvalidInputError: there is one of this name, or the name or the address cannot be.
        """
        name, email = checked_name(name), checked_email(email)
        existing = self.api.find(path("namespaces", None, namespace_of(name)))
        if existing is not None:
            if "deletionTimestamp" in existing["metadata"]:
                raise InvalidInputError(
                    f"{namespace_of(name)} is being deleted",
                    "Try again when it is gone.",
                )
            advice = f"`riseml user update --username {name} --email {email}` changes it, and makes it whole."
            if labels.USER not in existing["metadata"].get("labels", {}):
                advice = f"The namespace {namespace_of(name)} is not a user's: choose another name."
            raise InvalidInputError(f"there is a user {name} already", advice)
        return self._make(name, email, limits)

    def update(
        self, name: str, email: str | None = None, limits: Limits | None = None
    ) -> User:
        """Change a user, make whole what is missing in the namespace, let a disabled one in again with a new key.

        Limits that are not named stay as they are.
        """
        found = self._namespace(name)
        name = found["metadata"]["labels"][labels.USER]
        email = (
            found["metadata"].get("annotations", {}).get(EMAIL, "")
            if email is None
            else checked_email(email)
        )
        return self._make(name, email, limits)

    def disable(self, name: str) -> User:
        """Refuse a user's key from now on (clusters remember it for some seconds); what runs goes on."""
        found = self._namespace(name)
        place = found["metadata"]["name"]
        self.api.patch(
            path("namespaces", None, place),
            {"metadata": {"annotations": {ENABLED: "false"}}},
        )
        # The account, too: a token tells the account's uid and no more, so that the same one would come again.
        self.api.delete(path("serviceaccounts", place, USER_ACCOUNT))
        self.api.delete(path("secrets", place, TOKEN))
        return self.display(name)

    def list(self) -> list[User]:
        """Return all users by name, without their keys."""
        quotas = {
            each["metadata"]["namespace"]: each
            for each in self.api.items(path("resourcequotas"))
        }
        found = self.api.items(
            path("namespaces"), metadata=True, labelSelector=labels.USER
        )
        users = (_user(each, quotas.get(each["metadata"]["name"])) for each in found)
        return sorted(users, key=lambda user: user.name)

    def display(self, name: str) -> User:
        """Return one user with its key, which a disabled one does not have.

        Raises:
            NotFoundError: there is no such user.
        """
        found = self._namespace(name)
        place = found["metadata"]["name"]
        user = _user(found, self.api.find(path("resourcequotas", place, QUOTA)))
        return replace(user, key=self._key(user) if user.enabled else "")

    # How it is done

    def _make(self, name: str, email: str, limits: Limits | None) -> User:
        place = namespace_of(name)
        for policy in namespace_objects.read(namespace_objects.POLICY):
            self._apply_policy(policy)
        for body in namespace_objects.namespace(name, email):
            self.api.apply(body, place)
        for claim, volume in namespace_objects.claims(name, self.offer):
            if volume is not None:
                self._provide(volume)
            self.api.ensure(path("persistentvolumeclaims", place), claim)
        self._settle(name)
        if limits:
            self._limit(place, limits)
        if (certificate := certificates.copy_for_user(self.api)) is not None:
            self.api.apply(certificate, place)
        for body in namespace_objects.settled(self.offer):
            self.api.apply(body, place)
        self._wait_for_token(place)
        return self.display(name)

    def _apply_policy(self, policy: Object) -> None:
        try:
            self.api.apply(policy)
        except NotFoundError:
            raise RiseMLError(
                "the cluster knows no ValidatingAdmissionPolicy, without which users could read each other's tokens",
                "RiseML needs Kubernetes 1.30 or newer.",
            ) from None

    def _provide(self, volume: Object) -> None:
        """Make a volume; one that is left of an earlier namespace of the same user is taken again."""
        at = path("persistentvolumes", None, volume["metadata"]["name"])
        if self.api.ensure(path("persistentvolumes"), volume):
            return
        if self.api.get(at).get("status", {}).get("phase") == "Released":
            self.api.patch(
                at, {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}}
            )

    def _settle(self, name: str) -> None:
        first, *others = namespace_objects.settings(name, self.offer)
        place = namespace_of(name)
        if not self.api.ensure(path("configmaps", place), first):
            data = namespace_objects.told(name, self.offer)
            self.api.patch(path("configmaps", place, SETTINGS), {"data": data})
        for body in others:
            self.api.ensure(path(f"{body['kind'].lower()}s", place), body)

    def _limit(self, place: str, limits: Limits) -> None:
        before = self.api.find(path("resourcequotas", place, QUOTA)) or {}
        hard = before.get("spec", {}).get("hard", {})
        body = namespace_objects.quota(limits, hard, self.offer.gpu_resource)
        if body is not None:
            self.api.apply(body, place)
        elif before:
            self.api.delete(path("resourcequotas", place, QUOTA))

    def _wait_for_token(self, place: str) -> None:
        """Wait for the key; a Secret made while the cluster was still tidying up a former account's is made again."""
        end = time.monotonic() + _TOKEN_WAIT
        while True:
            found = self.api.find(path("secrets", place, TOKEN))
            if found and found.get("data", {}).get("token"):
                return
            if found is None:
                for body in namespace_objects.read("accounts.yaml"):
                    self.api.apply(body, place)
            if time.monotonic() > end:
                raise TimedOutError(
                    f"the cluster made no token for {place}",
                    "Does its controller manager run? Update the user later.",
                )
            time.sleep(0.1)

    def _key(self, user: User) -> str:
        secret = self.api.find(path("secrets", user.namespace, TOKEN)) or {}
        token = base64.b64decode(secret.get("data", {}).get("token", "")).decode()
        if not token:
            return ""
        authority = self.api.connection.authority
        return keys.encode(
            Connection(
                self.server, authority, token, namespace=user.namespace, user=user.name
            )
        )

    def _namespace(self, name: str) -> Object:
        found = self.api.find(
            path("namespaces", None, namespace_of(checked_name(name)))
        )
        if found is None or labels.USER not in found["metadata"].get("labels", {}):
            raise NotFoundError(
                f"there is no user {name}", "`riseml user list` names all."
            )
        return found


def _user(found: Object, quota: Object | None) -> User:
    metadata: dict[str, Any] = found["metadata"]
    told = metadata.get("annotations", {})
    return User(
        name=metadata["labels"][labels.USER],
        email=told.get(EMAIL, ""),
        enabled=told.get(ENABLED, "true") == "true",
        namespace=metadata["name"],
        limits=dict((quota or {}).get("spec", {}).get("hard", {})),
        used=dict((quota or {}).get("status", {}).get("used", {})),
    )
