"""Paths of the Kubernetes API."""

import pytest

from riseml.cluster.api import path, path_of

QUOTA = "/api/v1/namespaces/riseml-paul/resourcequotas/riseml"
POLICY = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/riseml"


def test_paths_of_lists_and_objects() -> None:
    assert path("pods") == "/api/v1/pods"
    assert path("pods", "a", "b") == "/api/v1/namespaces/a/pods/b"
    assert path("namespaces", None, "a") == "/api/v1/namespaces/a"
    workflows = "/apis/argoproj.io/v1alpha1/namespaces/a/workflows"
    assert path("workflows", "a") == workflows


@pytest.mark.parametrize(
    ("kind", "version", "expected"),
    [
        ("ResourceQuota", "v1", QUOTA),
        ("ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1", POLICY),
        ("StorageClass", "storage.k8s.io/v1", "/apis/storage.k8s.io/v1/storageclasses/riseml"),
        ("Deployment", "apps/v1", "/apis/apps/v1/namespaces/riseml-paul/deployments/riseml"),
    ],
)  # fmt: skip
def test_the_path_of_an_object_is_derived_from_its_kind(
    kind: str, version: str, expected: str
) -> None:
    body = {"kind": kind, "apiVersion": version, "metadata": {"name": "riseml"}}
    assert path_of(body, "riseml-paul") == expected


def test_an_object_may_name_its_namespace() -> None:
    metadata = {"name": "a", "namespace": "riseml"}
    body = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata}
    assert path_of(body, "riseml-paul") == "/api/v1/namespaces/riseml/pods/a"
