"""Subjects of a namespace: their names, the objects that give them rights, and annotations."""

import pytest

from riseml.cluster import namespace_objects, subjects
from riseml.cluster.namespace_objects import Offer
from riseml.cluster.subjects import KEY_ALONE, Grant
from riseml.errors import InvalidInputError

TEAM = Grant(("ana@example.com", "group:vision"), has_key=False)


def test_names_are_kept_once_and_in_their_order() -> None:
    names = ["ana", "group:vision", "ana", "system:serviceaccount:ci:runner"]
    assert subjects.checked(names) == (
        "ana",
        "group:vision",
        "system:serviceaccount:ci:runner",
    )


@pytest.mark.parametrize("name", ["", " ana", "group:", "a\nb", "x" * 254])
def test_malformed_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="is not the name of a user") as caught:
        subjects.checked([name])
    assert "kubectl auth whoami" in caught.value.advice


@pytest.mark.parametrize(
    "name",
    [
        "group:system:authenticated",
        "group:system:serviceaccounts",
        "group:system:serviceaccounts:riseml-paul",
        "group:system:masters",
        "group:system:serviceaccount:a:b",
        "system:anonymous",
        "system:kube-scheduler",
    ],
)
def test_names_that_stand_for_parts_of_kubernetes_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="stands for a part of Kubernetes"):
        subjects.checked([name])


def test_annotations_keep_the_grant() -> None:
    assert subjects.grant_of(TEAM.annotations()) == TEAM
    assert subjects.grant_of(KEY_ALONE.annotations()) == KEY_ALONE
    # Namespaces of earlier versions have no such annotations.
    assert subjects.grant_of({}) == KEY_ALONE
    assert subjects.grant_of({subjects.SUBJECTS: "["}) == KEY_ALONE


def _objects(grant: Grant) -> dict[str, list[object]]:
    """Return the subjects of each RoleBinding, and nothing of other objects, by name."""
    managed = namespace_objects.managed(Offer())
    return {
        f"{body['kind']} {body['metadata']['name']}": body.get("subjects", [])
        for body in subjects.granted(managed, grant)
    }


ACCOUNT = {"kind": "ServiceAccount", "name": "riseml-user"}
PEOPLE = [
    {
        "kind": "User",
        "apiGroup": "rbac.authorization.k8s.io",
        "name": "ana@example.com",
    },
    {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "vision"},
]


def test_a_namespace_without_a_key_lacks_the_account_of_the_key() -> None:
    with_key, without = _objects(KEY_ALONE), _objects(TEAM)
    assert with_key["RoleBinding riseml-user"] == [ACCOUNT]
    assert without["RoleBinding riseml-user"] == PEOPLE
    assert set(with_key) - set(without) == {
        "ServiceAccount riseml-user",
        "Secret riseml-user.service-account-token",
    }
    # The executor is the same in both.
    assert without["RoleBinding riseml-job"] == with_key["RoleBinding riseml-job"]


def test_a_namespace_may_have_a_key_and_subjects() -> None:
    both = _objects(Grant(TEAM.subjects, has_key=True))
    assert both["RoleBinding riseml-user"] == [ACCOUNT, *PEOPLE]
    assert "ServiceAccount riseml-user" in both


def test_bindings_that_others_made_are_described() -> None:
    def binding(name: str, kind: str, role: str, *names: str) -> dict[str, object]:
        people = [{"kind": "User", "name": person} for person in names]
        return {
            "metadata": {"name": name},
            "roleRef": {"kind": kind, "name": role},
            "subjects": people,
        }

    bindings = [
        binding("riseml-user", "Role", "riseml-user", "ana"),
        binding("by-hand", "Role", "riseml-user", "ben"),
        binding("editors", "ClusterRole", "edit", "ida@example.com", "ben"),
        {**binding("empty", "Role", "extra"), "subjects": None},
    ]
    assert subjects.other_rights(bindings, ["riseml-user", "riseml-job"]) == [
        "editors gives ida@example.com, ben the ClusterRole edit",
        "empty gives nobody the Role extra",
    ]
