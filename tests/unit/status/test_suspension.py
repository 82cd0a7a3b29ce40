"""Runs that are suspended with Argo: what waits says so, what runs is unaffected."""

from riseml import status
from riseml.status import SetStatus, State, outline, suspension
from tests.unit.documents import Document, made

MESSAGE = "suspended with Argo; `argo resume net-14` continues it"


def suspended(document: Document) -> SetStatus:
    """Return the status of a document after `argo suspend`."""
    document["spec"]["suspend"] = True
    return status.read(document)


def test_experiments_that_have_not_started_are_suspended() -> None:
    run = suspended(made({"phase": "Running"}, items=2))
    running, waiting = run.experiments
    assert (running.state, running.reason) == (State.RUNNING, "")
    assert (waiting.state, waiting.reason, waiting.message) == (
        State.CREATED,
        "SUSPENDED",
        MESSAGE,
    )
    assert waiting.jobs[0].reason == "SUSPENDED"
    assert (run.reason, run.message) == ("SUSPENDED", MESSAGE)


def test_the_command_that_continues_it_names_the_namespace() -> None:
    document = made({"phase": "Running"}, items=2)
    document["metadata"]["namespace"] = "riseml-paul"
    assert (
        "`argo resume net-14 -n riseml-paul` continues" in suspended(document).message
    )


def test_a_job_between_two_attempts_is_suspended() -> None:
    attempts = [("Failed", 3)]
    run = suspended(made({"phase": "Running", "attempts": attempts}))
    assert run.experiments[0].state is State.PENDING
    assert run.experiments[0].jobs[0].reason == "SUSPENDED"


def test_a_pod_that_waits_for_a_node_starts_nevertheless() -> None:
    message = "Unschedulable: 0/1 nodes are available"
    run = suspended(made({"phase": "Pending", "message": message}))
    assert run.experiments[0].reason == "UNSCHEDULABLE"


def test_a_run_that_has_ended_is_not_suspended() -> None:
    run = suspended(made({"phase": "Succeeded", "code": 0}, phase="Succeeded"))
    assert (run.state, run.reason, run.message) == (State.FINISHED, "", "")


def test_a_run_whose_experiments_have_all_ended_is_not_suspended() -> None:
    # Argo itself has not noticed the end: it does not look at a suspended Workflow.
    run = suspended(made({"phase": "Succeeded", "code": 0}))
    assert (run.state, run.reason) == (State.FINISHED, "")


def test_a_search_without_experiments_so_far_is_suspended() -> None:
    document = made({"phase": "Running"})
    document["spec"]["suspend"] = True
    reason = suspension.reason_of_run(outline.sketch(document), ())
    assert reason == ("SUSPENDED", MESSAGE)
