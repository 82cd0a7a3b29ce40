"""Users of a cluster as `riseml user` prints them."""

from typing import TYPE_CHECKING, TypedDict

from riseml.cli import output
from riseml.cli.documents import Document

if TYPE_CHECKING:
    from riseml.cluster.users import User

_NO_KEY = "none, the user is disabled"
_LOGIN_BY_KEY = "riseml user login --api-key KEY"


class UserRecord(TypedDict):
    """A user of a cluster."""

    username: str
    email: str
    enabled: bool
    namespace: str
    subjects: list[str]
    """Who may use the namespace without the key: names, and groups as `group:NAME`."""
    limits: dict[str, str]
    """Quotas by Kubernetes' names of resources."""
    used: dict[str, str]
    """What running jobs request, by the same names."""


class UserWithKeyRecord(UserRecord):
    """A user of a cluster, with the key for `riseml user login`."""

    api_key: str | None
    """Null if the user is disabled, or subjects use the namespace instead."""


DOCUMENTS = {
    "user-list": Document(list[UserRecord]),
    "user-display": Document(UserWithKeyRecord),
}


def show(user: "User", *, with_key: bool = True) -> None:
    """Print a user; `with_key` is False where the key goes to a file."""
    output.say(f"Username: {user.name}\nEmail: {user.email}")
    if user.grant.subjects:
        output.say(f"Subjects: {', '.join(user.grant.subjects)}")
    if with_key and user.grant.has_key:
        output.say(f"API key: {user.key or _NO_KEY}")
    elif not user.enabled:
        output.say(f"Access: {_NO_KEY}")
    if user.limits:
        output.say(f"Quota: {quota(user)}")


def login_note(user: "User", key_file: str | None) -> None:
    """Print how the user logs in."""
    if user.grant.has_key:
        command = f"riseml user login < {key_file}" if key_file else _LOGIN_BY_KEY
        output.note(f"{user.name} logs in with `{command}`.")
    if user.grant.subjects:
        names = ", ".join(user.grant.subjects)
        output.note(
            f"{names}: `riseml user login --kubeconfig FILE --namespace {user.namespace}`, "
            "with the kubeconfig that they have for this cluster."
        )


def quota(user: "User") -> str:
    """Return used and granted amounts: `cpu 1/4`."""
    # Kubernetes calls the quota of requests `requests.cpu`.
    amounts = []
    for name, limit in sorted(user.limits.items()):
        used = user.used.get(name, "0")
        amounts.append(f"{name.removeprefix('requests.')} {used}/{limit}")
    return ", ".join(amounts)


def record(user: "User") -> UserRecord:
    """Return a user without the key."""
    return {
        "username": user.name,
        "email": user.email,
        "enabled": user.enabled,
        "namespace": user.namespace,
        "subjects": list(user.grant.subjects),
        "limits": dict(user.limits),
        "used": dict(user.used),
    }
