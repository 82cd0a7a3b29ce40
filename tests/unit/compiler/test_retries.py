"""Retry rules: the ends of an attempt that are followed by another, evaluated as Argo does."""

import pytest

from riseml.engines.local.interpreter.expressions import expression
from riseml.plan import Retries
from tests.unit.plans import compiled, single, template

# What Argo says about an attempt: phase, exit code, message.
ENDS = {
    "error": ("Failed", "1", "main: Error (exit code 1)"),
    "status 79": ("Failed", "79", "main: Error (exit code 79)"),
    "timeout": (
        "Failed",
        "143",
        "Pod was active on the node longer than the specified deadline",
    ),
    "checkout": ("Failed", "-1", "checkout: Error (exit code 1)"),
    "executor": ("Error", "-1", "wait: Error (exit code 64)"),
    "oom": ("Failed", "137", "main: OOMKilled (exit code 137)"),
    "killed by the kernel": ("Failed", "137", "main: Error (exit code 137)"),
    "deleted": ("Error", "-1", "pod deleted"),
    "evicted": (
        "Failed",
        "-1",
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 9Mi.",
    ),
    "ended by SIGTERM": ("Failed", "143", "main: Error (exit code 143)"),
    "shutdown": (
        "Failed",
        "-1",
        "Pod was terminated in response to imminent node shutdown.",
    ),
    "preempted": ("Failed", "-1", "Preempted in order to admit critical pod"),
    "unresponsive": (
        "Failed",
        "-1",
        "Node n1 which was running pod p1 is unresponsive",
    ),
    "restarted": ("Error", "-1", "machine restarted"),
}
OOM = {"oom", "killed by the kernel"}
PREEMPTED = {"deleted", "evicted", "ended by SIGTERM", "shutdown", "preempted"}
LOST = {"deleted", "unresponsive", "restarted", "shutdown"}
ERROR = {"error", "status 79", "timeout", "checkout", "executor"}


def _is_retried(
    on: tuple[str, ...], end: str, killed: str = "", sub: str = "3"
) -> bool:
    strategy = template(compiled(single(retries=Retries(2, on))), "train")[
        "retryStrategy"
    ]
    text = strategy["expression"].replace(
        "{{workflow.annotations.riseml.io/killed}}", killed
    )
    status, code, message = ENDS[end]
    scope = {
        "lastRetry.status": status,
        "lastRetry.exitCode": code,
        "lastRetry.message": message,
    }
    return expression(text.replace("{{inputs.parameters.riseml-sub}}", sub))(scope)


@pytest.mark.parametrize(
    ("on", "ends"),
    [
        (Retries().on, set(ENDS)),
        (("oom",), OOM),
        (("preempted",), PREEMPTED),
        (("node-lost",), LOST),
        (("error",), ERROR),
        (("error", "oom"), ERROR | OOM),
        (("preempted", "node-lost"), PREEMPTED | LOST),
        (("error", "preempted"), ERROR | PREEMPTED),
        ((), set()),
    ],
)
def test_a_failure_is_retried_for_its_causes(
    on: tuple[str, ...], ends: set[str]
) -> None:
    assert {end for end in ENDS if _is_retried(on, end)} == ends


@pytest.mark.parametrize(
    ("killed", "is_retried"),
    [
        ("", True),
        ("3=2026-11-23T06:51:12Z", False),
        ("*=2026-11-23T06:51:12Z", False),
        ("1=2026-11-23T06:51:12Z,3=2026-11-23T06:51:12Z", False),
        ("13=2026-11-23T06:51:12Z,33=2026-11-23T06:51:12Z", True),
    ],
)
@pytest.mark.parametrize("on", [Retries().on, ("preempted",)])
def test_a_killed_experiment_is_not_retried(
    killed: str, is_retried: bool, on: tuple[str, ...]
) -> None:
    assert _is_retried(on, "ended by SIGTERM", killed) is is_retried


def test_the_limit_counts_further_attempts() -> None:
    strategy = template(compiled(single(retries=Retries(3))), "train")["retryStrategy"]
    assert strategy["limit"] == "3"
    assert strategy["retryPolicy"] == "Always"


def test_without_retries_a_failure_is_final() -> None:
    assert "retryStrategy" not in template(compiled(single()), "train")


def test_the_job_knows_its_attempt() -> None:
    container = template(compiled(single(retries=Retries(1))), "train")["container"]
    assert {"name": "RISEML_ATTEMPT", "value": "{{retries}}"} in container["env"]


@pytest.mark.parametrize(
    ("on", "is_retried"),
    [
        (Retries().on, False),
        (("error",), False),
        (("oom", "preempted"), False),
        (("idle",), True),
        ((*Retries().on, "idle"), True),
    ],
)
def test_an_idle_job_is_retried_only_if_that_is_asked_for(
    on: tuple[str, ...], is_retried: bool
) -> None:
    plan = single(retries=Retries(2, on), idle_timeout=3600)
    text = template(compiled(plan), "train")["retryStrategy"]["expression"]
    text = text.replace("{{workflow.annotations.riseml.io/killed}}", "")
    test = expression(text.replace("{{inputs.parameters.riseml-sub}}", "3"))
    scope = {"lastRetry.status": "Failed", "lastRetry.exitCode": "79"}
    message = {"lastRetry.message": "main: Error (exit code 79)"}
    assert test({**scope, **message}) is is_retried
    # Without the timeout, the status is the program's own.
    assert _is_retried(on, "status 79") is ("error" in on)
