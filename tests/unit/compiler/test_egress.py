"""Proxies and certificate authorities in the compiled document, and clusters without builds."""

from typing import Any

import pytest

from riseml.errors import InvalidInputError
from riseml.plan import Target
from tests.unit.plans import compiled, grid, single, template

PROXIES = {
    "HTTPS_PROXY": "http://proxy:3128",
    "https_proxy": "http://proxy:3128",
    "NO_PROXY": ".riseml,*.example.com",
    "no_proxy": ".riseml,*.example.com",
}
SITE = Target(proxies=PROXIES, authorities="riseml-authorities")
FILE = "/etc/riseml-authorities/ca.crt"


def environment(made: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a template's container."""
    return {entry["name"]: entry["value"] for entry in made["container"]["env"]}


def test_jobs_get_proxies_and_authorities() -> None:
    document = compiled(single(), target=SITE)
    job = template(document, "train")
    variables = environment(job)
    assert {name: variables[name] for name in PROXIES} == PROXIES
    assert {variables["SSL_CERT_FILE"], variables["REQUESTS_CA_BUNDLE"]} == {FILE}
    volume = {
        "name": "riseml-authorities",
        "configMap": {"name": "riseml-authorities"},
    }
    assert volume in document["spec"]["volumes"]
    mount = {
        "name": "riseml-authorities",
        "mountPath": "/etc/riseml-authorities",
        "readOnly": True,
    }
    assert mount in job["container"]["volumeMounts"]


def test_a_variable_of_riseml_yml_replaces_that_of_the_cluster() -> None:
    plan = single(job_env={"https_proxy": "http://mine:1"})
    variables = environment(template(compiled(plan, target=SITE), "train"))
    assert variables["https_proxy"] == "http://mine:1"
    assert variables["HTTPS_PROXY"] == "http://proxy:3128"


def test_install_steps_get_them_without_a_trace_in_the_image() -> None:
    document = compiled(single(install=("pip install x",)), target=SITE)
    build = template(document, "build")
    options = environment(build)["RISEML_BUILD_OPTIONS"]
    assert "--opt build-arg:https_proxy=http://proxy:3128" in options
    assert options.endswith(f"--secret id=authorities,src={FILE}")
    # buildctl itself reaches BuildKit directly.
    assert "https_proxy" not in environment(build)
    (dockerfile,) = [
        artifact["raw"]["data"]
        for artifact in build["inputs"]["artifacts"]
        if artifact["name"] == "dockerfile"
    ]
    assert (
        f'RUN --mount=type=secret,id=authorities,target={FILE},mode=0444 ["sh", "-c", "export SSL_CERT_FILE={FILE} '
        in dockerfile
    )


def test_without_them_nothing_is_added() -> None:
    document = compiled(single(install=("pip install x",)))
    assert "RISEML_BUILD_OPTIONS" not in environment(template(document, "build"))
    assert "riseml-authorities" not in str(document)


def test_a_cluster_without_builds_refuses_install_steps() -> None:
    target = Target(builds=False)
    compiled(grid({"lr": "1"}), target=target)
    with pytest.raises(InvalidInputError) as caught:
        compiled(single(install=("pip install x",)), target=target)
    assert str(caught.value) == (
        "riseml.yml has install steps, but this cluster builds no images"
    )
    assert "set `image`" in (caught.value.advice or "")
