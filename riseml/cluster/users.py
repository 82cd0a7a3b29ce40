"""Users of a cluster, for administrators.

    create ──▶ namespace, rights, claims, store ──▶ token ──▶ API key
    disable ──▶ the role, the service account and its token are deleted; jobs continue

A user is a namespace, with the token of a service account in it that has no rights
anywhere else, with subjects of the organization that may use it, or with both.
Annotations of the namespace contain the user's e-mail address, the subjects, and whether
the user is enabled.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from riseml import labels
from riseml.cluster import (
    JOB_ACCOUNT,
    SETTINGS,
    USER_ACCOUNT,
    certificates,
    namespace_objects,
    namespace_of,
    overview,
    pull_secrets,
    subjects,
    user_token,
    user_versions,
)
from riseml.cluster.api import Api, Object, path
from riseml.cluster.api_errors import ConflictError
from riseml.cluster.namespace_objects import EMAIL, ENABLED, QUOTA, Offer
from riseml.cluster.subjects import KEY_ALONE, Grant
from riseml.errors import InvalidInputError, NotFoundError, RiseMLError

Limits = Mapping[str, str | None]
"""Amounts of cpus, mem and gpus that a user's running jobs may request; None: any."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]")
# Names of objects that contain the user's name may have 63 characters.
_LONGEST_NAME = 40
# These names have a meaning in commands, or would give a namespace of RiseML's own.
_RESERVED = frozenset({"all", "default", "local", "none", "system"})
# The Roles of a user's namespace.
_ROLES = (USER_ACCOUNT, JOB_ACCOUNT)


@dataclass(frozen=True)
class User:
    """User of the cluster.

    `limits` and `used` are those of the quota, in Kubernetes' terms. `grant` says who
    may use the namespace while the user is enabled. `key` is the API key, empty unless
    it was requested.
    """

    name: str
    email: str
    enabled: bool
    namespace: str
    limits: Mapping[str, str]
    used: Mapping[str, str]
    grant: Grant = KEY_ALONE
    key: str = field(default="", repr=False)


def checked_name(name: str) -> str:
    """Return a user's name in lower case.

    Raises:
        InvalidInputError: users cannot have this name.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InvalidInputError(
            f"'{name}' cannot be a user's name",
            f"Use 2 to {_LONGEST_NAME} letters, digits and dashes, without a dash at either end.",
        )
    if name.lower() in _RESERVED:
        raise InvalidInputError(
            f"the name '{name}' is reserved", "Choose another name."
        )
    return name.lower()


def checked_email(email: str) -> str:
    """Return an e-mail address.

    Raises:
        InvalidInputError: the text is not one.
    """
    if "@" not in email.strip("@") or email != email.strip():
        raise InvalidInputError(
            f"'{email}' is not an e-mail address", "Example: paul@example.com."
        )
    return email


class Users:
    """Users of a cluster.

    `server` is the address by which they reach it, if it is not the administrator's.
    """

    def __init__(
        self, api: Api, offer: Offer | None = None, *, server: str = ""
    ) -> None:
        self.api, self.offer = api, offer or Offer()
        self.server = server or api.connection.server

    def create(
        self,
        name: str,
        email: str,
        limits: Limits | None = None,
        grant: Grant | None = None,
    ) -> User:
        """Create a user, and return it with its key; without `grant`, only that is used.

        Raises:
            InvalidInputError: the user exists, or the name or the address is invalid.
        """
        name, email = checked_name(name), checked_email(email)
        existing = self.api.find(path("namespaces", None, namespace_of(name)))
        if existing is not None:
            raise _existing_user(name, email, existing)
        return self._apply(name, email, limits, grant or KEY_ALONE)

    def update(
        self,
        name: str,
        email: str | None = None,
        limits: Limits | None = None,
        grant: Grant | None = None,
    ) -> User:
        """Change a user, and return it with its key.

        Missing objects of the namespace are created again. A disabled user is enabled,
        with a new key. Limits that are not named remain, and so does the grant.

        Raises:
            NotFoundError: there is no such user.
            InvalidInputError: the address or a limit is invalid.
        """
        metadata = self._namespace(name)["metadata"]
        annotations = metadata.get("annotations", {})
        if email is None:
            email = annotations.get(EMAIL, "")
        else:
            email = checked_email(email)
        grant = grant or subjects.grant_of(annotations)
        return self._apply(metadata["labels"][labels.USER], email, limits, grant)

    def refresh(self, name: str) -> None:
        """Bring a namespace to this version and to the values.

        Unlike `update`, it leaves a disabled user disabled.

        Raises:
            NotFoundError: there is no such user.
        """
        metadata = self._namespace(name)["metadata"]
        if metadata.get("annotations", {}).get(ENABLED, "true") == "true":
            self.update(name)
            return
        namespace = metadata["name"]
        self._ensure_settings(metadata["labels"][labels.USER])
        for body in namespace_objects.managed(self.offer):
            # The account, its token and its rights are what a disabled user lacks.
            if not body["metadata"]["name"].startswith(USER_ACCOUNT):
                self.api.apply(body, namespace)
        self._apply_all(self._copies(), namespace)
        user_versions.mark(self.api, namespace, self.offer)

    def disable(self, name: str) -> User:
        """End a user's access, and return the user; running jobs continue.

        The cluster may accept the key for some more seconds.

        Raises:
            NotFoundError: there is no such user.
        """
        namespace = self._namespace(name)["metadata"]["name"]
        self.api.patch(
            path("namespaces", None, namespace),
            {"metadata": {"annotations": {ENABLED: "false"}}},
        )
        # Whoever is bound to the Role loses its rights, whether RiseML bound them or not.
        self.api.delete(path("roles", namespace, USER_ACCOUNT))
        user_token.revoke(self.api, namespace)
        return self.display(name)

    def other_rights(self, user: User) -> list[str]:
        """Describe the rights in a user's namespace that RiseML has not given."""
        bindings = self.api.items(path("rolebindings", user.namespace))
        return subjects.other_rights(bindings, _ROLES)

    def list(self) -> list[User]:
        """Return all users, sorted by name, without their keys."""
        quotas = {}
        for quota in self.api.items(path("resourcequotas")):
            quotas[quota["metadata"]["namespace"]] = quota
        namespaces = self.api.items(
            path("namespaces"), metadata=True, labelSelector=labels.USER
        )
        users = [
            _user(body, quotas.get(body["metadata"]["name"])) for body in namespaces
        ]
        return sorted(users, key=lambda user: user.name)

    def display(self, name: str) -> User:
        """Return one user with its key, which a disabled user does not have.

        Raises:
            NotFoundError: there is no such user.
        """
        body = self._namespace(name)
        namespace = body["metadata"]["name"]
        user = _user(body, self.api.find(path("resourcequotas", namespace, QUOTA)))
        if not user.enabled or not user.grant.has_key:
            return user
        key = user_token.key(self.api, self.server, user.namespace, user.name)
        return replace(user, key=key)

    # Objects of a namespace

    def _apply(
        self, name: str, email: str, limits: Limits | None, grant: Grant
    ) -> User:
        namespace = namespace_of(name)
        # The policies come first: no moment may pass in which a user is unprotected.
        for policy in namespace_objects.read(namespace_objects.POLICY):
            self._apply_policy(policy)
        annotations = grant.annotations()
        bodies = namespace_objects.namespace(name, email, annotations)
        for body in bodies:
            self._apply_unless_changed(body, namespace)
        for claim, volume in namespace_objects.claims(name, self.offer):
            if volume is not None:
                self._ensure_volume(volume)
            self.api.ensure(path("persistentvolumeclaims", namespace), claim)
        self._ensure_settings(name)
        if limits:
            self._set_limits(namespace, limits)
        self._apply_all(self._copies(), namespace)
        managed = namespace_objects.managed(self.offer)
        self._apply_all(subjects.granted(managed, grant), namespace)
        if grant.has_key:
            user_token.wait_for(self.api, namespace)
        else:
            user_token.revoke(self.api, namespace)
        user_versions.mark(self.api, namespace, self.offer)
        return self.display(name)

    def _copies(self) -> Iterable[Object]:
        """Yield the Secrets of the namespace SYSTEM that users' namespaces also have."""
        certificate = certificates.copy_for_user(self.api)
        if certificate is not None:
            yield certificate
        names = self.offer.target.get("pull_secrets", ())
        yield from pull_secrets.copies(self.api, names)

    def _apply_unless_changed(self, body: Object, namespace: str) -> None:
        """Apply an object; a LimitRange that an administrator has changed stays."""
        is_kept = body["kind"] == "LimitRange"
        try:
            self.api.apply(body, namespace, force=not is_kept)
        except ConflictError:
            if not is_kept:
                raise

    def _apply_all(self, bodies: Iterable[Object], namespace: str) -> None:
        for body in bodies:
            self.api.apply(body, namespace)

    def _apply_policy(self, policy: Object) -> None:
        try:
            self.api.apply(policy)
        except NotFoundError:
            raise RiseMLError(
                "the cluster does not support ValidatingAdmissionPolicy, which protects users' tokens from each other",
                "RiseML needs Kubernetes 1.30 or newer.",
            ) from None

    def _ensure_volume(self, volume: Object) -> None:
        """Create a volume, or make an earlier one of the same user available again."""
        if self.api.ensure(path("persistentvolumes"), volume):
            return
        url_path = path("persistentvolumes", None, volume["metadata"]["name"])
        if self.api.get(url_path).get("status", {}).get("phase") == "Released":
            # It still refers to the claim of a namespace that was deleted.
            claim = {"uid": None, "resourceVersion": None}
            self.api.patch(url_path, {"spec": {"claimRef": claim}})

    def _ensure_settings(self, name: str) -> None:
        offer = self._offer_with_products()
        settings, *others = namespace_objects.settings(name, offer)
        namespace = namespace_of(name)
        if not self.api.ensure(path("configmaps", namespace), settings):
            # The counter of runs remains.
            data = namespace_objects.settings_data(name, offer)
            self.api.patch(path("configmaps", namespace, SETTINGS), {"data": data})
        for body in others:
            self.api.ensure(path(f"{body['kind'].lower()}s", namespace), body)

    def _offer_with_products(self) -> Offer:
        """Return the offer with the GPUs of the cluster, since users cannot list nodes."""
        products = overview.gpu_products(self.api)
        if not products:
            return self.offer
        target = {**self.offer.target, "gpu_products": list(products)}
        return replace(self.offer, target=target)

    def _set_limits(self, namespace: str, limits: Limits) -> None:
        url_path = path("resourcequotas", namespace, QUOTA)
        existing = self.api.find(url_path) or {}
        current = existing.get("spec", {}).get("hard", {})
        body = namespace_objects.quota(limits, current, self.offer.gpu_resource)
        if body is not None:
            self.api.apply(body, namespace)
        elif existing:
            self.api.delete(url_path)

    def _namespace(self, name: str) -> Object:
        namespace = namespace_of(checked_name(name))
        body = self.api.find(path("namespaces", None, namespace))
        if body is None or labels.USER not in body["metadata"].get("labels", {}):
            raise NotFoundError(
                f"there is no user {name}", "`riseml user list` shows all users."
            )
        return body


def _existing_user(name: str, email: str, namespace: Object) -> InvalidInputError:
    """Return the error for a name whose namespace exists."""
    metadata = namespace["metadata"]
    if "deletionTimestamp" in metadata:
        return InvalidInputError(
            f"the namespace {namespace_of(name)} is being deleted",
            "Try again when it is gone.",
        )
    if labels.USER not in metadata.get("labels", {}):
        return InvalidInputError(
            f"the namespace {namespace_of(name)} exists already, and does not belong to a user of RiseML",
            "Choose another name.",
        )
    return InvalidInputError(
        f"the user {name} exists already",
        f"`riseml user update --username {name} --email {email}` changes the user, and repairs the namespace.",
    )


def _user(namespace: Object, quota: Object | None) -> User:
    metadata = namespace["metadata"]
    annotations, quota = metadata.get("annotations", {}), quota or {}
    return User(
        name=metadata["labels"][labels.USER],
        email=annotations.get(EMAIL, ""),
        enabled=annotations.get(ENABLED, "true") == "true",
        namespace=metadata["name"],
        limits=dict(quota.get("spec", {}).get("hard", {})),
        used=dict(quota.get("status", {}).get("used", {})),
        grant=subjects.grant_of(annotations),
    )
