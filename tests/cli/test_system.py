"""`riseml system install` and `upgrade`: what they show, refuse and conclude."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from riseml.cli import installation_plan
from riseml.cli.installation_plan import InstallationPlan
from riseml.cluster import installation
from riseml.cluster.api import Api
from riseml.cluster.api_errors import NotAuthenticatedError
from riseml.cluster.connection import Connection
from riseml.cluster.installation import REFUSED, Step
from riseml.cluster.values import parse
from riseml.doctor import FAILED, OK, WARNING, Finding
from riseml.errors import NotAllowedError
from tests.cli.conftest import Riseml
from tests.cli.test_schemas import validate

NAMESPACE = {"kind": "Namespace", "metadata": {"name": "riseml"}}
SERVICE = {"kind": "Service", "metadata": {"name": "registry", "namespace": "riseml"}}
FINE = Finding("The version of Kubernetes", OK, "1.33.1, which has admission policies")
OLD = Finding(
    "The version of Kubernetes", FAILED, "1.28 has no policies", "Upgrade it."
)
POLICIES = Finding("Network policies", WARNING, "nothing enforces them", "Install one.")
NO_ARGO = Finding("Argo's custom resources", FAILED, "there is no Argo", "Install it.")
CREATED = Step(NAMESPACE, "created")
CHANGED = Step(SERVICE, "changed", ("spec.a", "spec.b", "c", "d", "e", "f"))
TAKEN = Step(SERVICE, REFUSED, reason="provided port is already allocated")

Plan = Callable[..., list[str]]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return a function that makes a plan that of the cluster, and lists what is done."""
    api = Api(Connection("https://lab.example.com:6443"))
    api.find = lambda *_path, **_query: {}  # type: ignore[method-assign]
    monkeypatch.setattr("riseml.cli.system.connect", lambda *_arguments: api)
    monkeypatch.setattr("riseml.cluster.values.read_values", lambda _api: parse(""))

    def be(*steps: Step, requirements: Any = (FINE,), users: Any = ()) -> list[str]:
        done: list[str] = []
        made = InstallationPlan(
            parse(""), requirements, ["argo.instanceId: lab"], steps, users
        )
        monkeypatch.setattr(installation_plan, "make", lambda *_arguments: made)
        monkeypatch.setattr(
            installation, "apply", lambda *_arguments: done.append("applied")
        )
        monkeypatch.setattr(
            "riseml.cli.user_refresh.update_these",
            lambda _users, names: done.extend(names),
        )
        return done

    return be


def test_a_check_shows_everything_and_changes_nothing(
    plan: Plan, riseml: Riseml
) -> None:
    done = plan(CREATED, CHANGED, requirements=(FINE, POLICIES), users=["ida", "paul"])
    result = riseml("system", "install", "--check")
    assert result.out == (
        "✓ The version of Kubernetes                    1.33.1, which has admission policies\n"
        "! Network policies                             nothing enforces them\n"
        "  → Install one.\n"
        "~ argo.instanceId: lab\n"
        "+ Namespace riseml created\n"
        "~ Service riseml/registry changed (spec.a, spec.b, c, d, e, …)\n"
        "~ users updated afterwards: ida, paul\n"
    )
    assert result.err == "2 of 2 objects on https://lab.example.com:6443 change.\n"
    assert (result.status, done) == (0, [])


def test_a_check_for_scripts(plan: Plan, riseml: Riseml) -> None:
    plan(CREATED, TAKEN)
    result = riseml("system", "upgrade", "--check", "-o", "json")
    record = validate("system-check", result.out)
    assert (result.status, record["possible"]) == (1, False)
    assert record["detected"] == ["argo.instanceId: lab"]
    assert record["steps"] == [
        {
            "object": "Namespace riseml",
            "outcome": "created",
            "fields": [],
            "reason": "",
        },
        {
            "object": "Service riseml/registry",
            "outcome": "refused",
            "fields": [],
            "reason": "provided port is already allocated",
        },
    ]
    plan(CREATED)
    assert json.loads(riseml("system", "install", "--check", "-o", "json").out)[
        "possible"
    ]


@pytest.mark.parametrize(
    ("steps", "requirements", "message"),
    [
        ([CREATED, TAKEN], [FINE], "the cluster refuses 1 of 2 objects"),
        ([CREATED], [OLD], "Kubernetes 1.28 has no policies"),
    ],
)
def test_half_of_a_plan_is_not_installed(
    plan: Plan, riseml: Riseml, steps: Any, requirements: Any, message: str
) -> None:
    done = plan(*steps, requirements=requirements)
    result = riseml("system", "install", "-y")
    assert (result.status, done) == (3, [])
    assert message in result.err


def test_users_are_updated_after_the_installation(plan: Plan, riseml: Riseml) -> None:
    done = plan(Step(NAMESPACE, "unchanged"), users=["ida"])
    result = riseml("system", "upgrade", "-y", "--wait", "0")
    assert (result.status, done) == (0, ["applied", "ida"])
    assert result.err.endswith(
        "RiseML is installed. Create users with `riseml user create`.\n"
    )


def test_without_argo_the_exit_status_says_that_no_run_starts(
    plan: Plan, riseml: Riseml
) -> None:
    done = plan(CREATED, requirements=[FINE, NO_ARGO])
    result = riseml("system", "install", "-y", "--wait", "0")
    assert (result.status, done) == (1, ["applied"])
    assert result.err.endswith(
        "RiseML is installed, but no run can start: there is no Argo. Install it.\n"
    )


def test_data_needs_an_option_that_only_shows(plan: Plan, riseml: Riseml) -> None:
    done = plan(CREATED)
    result = riseml("system", "install", "-o", "json", "-y")
    assert (result.status, done) == (2, [])
    assert "-o json needs --dry-run or --check" in result.err


def test_a_plan_without_the_right_to_look_for_argo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_arguments: Any) -> Any:
        raise NotAllowedError("not allowed")

    monkeypatch.setattr("riseml.cluster.argo_controllers.controllers", refuse)
    monkeypatch.setattr("riseml.cluster.user_versions.outdated", refuse)
    monkeypatch.setattr("riseml.cluster.installation.plan", lambda *_: [TAKEN])
    monkeypatch.setattr("riseml.doctor.prerequisites.all_checks", lambda _: [])
    api = Api(Connection("https://lab.example.com:6443"))
    made = installation_plan.make(api, parse(""), datetime.now(UTC))
    assert (made.users, made.detected, made.refused) == ([], [], [TAKEN])


def test_a_login_that_is_not_accepted_is_one_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reject(*_arguments: Any) -> Any:
        raise NotAuthenticatedError("the cluster does not accept this login")

    monkeypatch.setattr("riseml.cluster.argo_controllers.controllers", reject)
    api = Api(Connection("https://lab.example.com:6443"))
    with pytest.raises(NotAuthenticatedError, match="does not accept this login"):
        installation_plan.make(api, parse(""), datetime.now(UTC))


@pytest.mark.parametrize("words", [("install", "-y"), ("install", "--check")])
def test_a_namespace_that_is_being_deleted_gets_no_installation(
    plan: Plan, riseml: Riseml, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    done = plan(CREATED)
    leaving = {"metadata": {"name": "riseml", "deletionTimestamp": "2026-11-28"}}
    monkeypatch.setattr(Api, "find", lambda *_arguments: leaving)
    monkeypatch.setattr(
        "riseml.cli.system.connect",
        lambda *_arguments: Api(Connection("https://lab.example.com:6443")),
    )
    result = riseml("system", *words)
    assert (result.status, done) == (2, [])
    assert "the namespace riseml is being deleted" in result.err
