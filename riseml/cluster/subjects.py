"""Subjects of a user's namespace: who may use it, beside or instead of an API key.

    NAME         the user whom the API server calls NAME
    group:NAME   every member of the group NAME

The cluster's own login decides who has a name: certificates, OIDC, a webhook. The
namespace's annotations contain its subjects, so that they outlast a time in which the
user is disabled.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import filterfalse
from operator import itemgetter
from typing import Any

from riseml.cluster import USER_ACCOUNT
from riseml.cluster.api import Object
from riseml.dataclass import dataclass
from riseml.errors import InvalidInputError
from riseml.excerpts import listed
from riseml.status import document as doc

SUBJECTS, KEY = "riseml.io/subjects", "riseml.io/key"
"""Annotations of a namespace: the subjects as a JSON list, and whether there is a key."""

_GROUP = "group:"
_SYSTEM = "system:"
_SERVICE_ACCOUNT = "system:serviceaccount:"
_RBAC = "rbac.authorization.k8s.io"
# Up to 253 characters, without control characters, and without spaces around them.
_NAME = re.compile(r"(?!\s)[^\x00-\x1f\x7f-\x9f]{1,253}(?<!\s)")


@dataclass(frozen=True)
class Grant:
    """Who may use a namespace: subjects, and the holder of its API key if it has one."""

    subjects: tuple[str, ...] = ()
    has_key: bool = True

    def annotations(self) -> dict[str, str]:
        """Return the annotations of a namespace that `grant_of` reads."""
        has_key = "true" if self.has_key else "false"
        return {SUBJECTS: json.dumps(list(self.subjects)), KEY: has_key}


KEY_ALONE = Grant()
"""The grant of a user who is given a key and nothing else."""


def grant_of(annotations: Mapping[str, str]) -> Grant:
    """Return the grant in a namespace's annotations; older namespaces have a key alone."""
    names = doc.texts(annotations.get(SUBJECTS))
    return Grant(names, annotations.get(KEY, "true") == "true")


def changed(
    previous: Grant | None,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    with_key: bool | None = None,
) -> Grant:
    """Return a grant with subjects added and removed; None is that of a new namespace.

    Without `with_key`, a new namespace has a key unless it has subjects.

    Raises:
        InvalidInputError: a name is wrong, or nobody could use the namespace.
    """
    old = previous.subjects if previous else ()
    subjects = list(checked([*old, *add]))
    for name in remove:
        if name not in subjects:
            raise InvalidInputError(
                f"'{name}' is not a subject",
                f"Subjects are {listed(subjects)}.",
            )
        subjects.remove(name)
    has_key = previous.has_key if previous else not subjects
    if with_key is not None:
        has_key = with_key
    if not has_key and not subjects:
        raise InvalidInputError(
            "nobody could use the namespace: it would have no key and no subjects",
            "Keep a subject, or add --key. `riseml user disable` ends all access.",
        )
    return Grant(tuple(subjects), has_key)


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of subjects without duplicates.

    Raises:
        InvalidInputError: a name is malformed, or stands for more than people.
    """
    subjects = tuple(dict.fromkeys(names))
    for subject in subjects:
        _check(subject)
    return subjects


def _check(subject: str) -> None:
    name = subject.removeprefix(_GROUP)
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"'{subject}' is not the name of a user or of a group",
            "Examples: ana@example.com, group:vision-team. `kubectl auth whoami` prints what the cluster calls you.",
        )
    if not name.startswith(_SYSTEM):
        return
    # Every job of every user belongs to system:authenticated and system:serviceaccounts.
    if subject == name and name.startswith(_SERVICE_ACCOUNT):
        return
    raise InvalidInputError(
        f"'{subject}' stands for a part of Kubernetes, not for people",
        "Name people, a group of them, or one service account: system:serviceaccount:NAMESPACE:NAME.",
    )


def granted(bodies: Iterable[Object], grant: Grant) -> Iterator[Object]:
    """Yield the objects of a namespace with its rights given to those of the grant.

    A namespace without a key lacks the account whose token is the key.
    """
    people = list(map(_subject, grant.subjects))
    if not grant.has_key:
        bodies = filterfalse(is_of_key, bodies)
    for body in bodies:
        if _identity(body) != ("RoleBinding", USER_ACCOUNT):
            yield body
            continue
        accounts = body["subjects"] if grant.has_key else []
        yield {**body, "subjects": [*accounts, *people]}


def is_of_key(body: Object) -> bool:
    """Return whether an object belongs to the API key: the account and its token."""
    kind, name = _identity(body)
    if kind == "Secret":
        return name.startswith(f"{USER_ACCOUNT}.")
    return (kind, name) == ("ServiceAccount", USER_ACCOUNT)


def _identity(body: Object) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def _subject(subject: str) -> dict[str, Any]:
    name = subject.removeprefix(_GROUP)
    kind = "User" if name == subject else "Group"
    return {"kind": kind, "apiGroup": _RBAC, "name": name}


def other_rights(bindings: Iterable[Object], own_roles: Iterable[str]) -> list[str]:
    """Describe the RoleBindings of a namespace that RiseML has not made.

    They outlast that a user is disabled. Bindings to `own_roles` do not count: without
    its Role, a binding gives nothing.
    """
    descriptions = []
    for binding in bindings:
        role = binding["roleRef"]
        if role["kind"] == "Role" and role["name"] in own_roles:
            continue
        names = ", ".join(
            map(itemgetter("name"), doc.mappings(binding.get("subjects")))
        )
        descriptions.append(
            f"{binding['metadata']['name']} gives {names or 'nobody'} the {role['kind']} {role['name']}"
        )
    return descriptions
