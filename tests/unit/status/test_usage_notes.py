"""Remarks about the memory of jobs."""

from dataclasses import replace
from decimal import Decimal

from riseml.plan import Resources
from riseml.status import ExperimentStatus, State
from riseml.status.usage_notes import with_notes
from riseml.usage import Usage
from tests.cli.fake_engine import job

MB = 1_000_000


def remarks(reason: str) -> tuple[str, ...]:
    """Return the notes of an experiment whose job used 64 MB of 60 MB."""
    ended = replace(
        job("14.train", State.FAILED),
        reason=reason,
        usage=Usage(mem_peak=64 * MB),
        resources=Resources(Decimal(1), 60 * MB, 0),
    )
    return with_notes(ExperimentStatus("14", None, State.FAILED, jobs=(ended,))).notes


def test_a_job_above_its_request_has_a_remark() -> None:
    assert remarks("ERROR") == (
        "used 64 MB of memory, asked for 60 MB: a cluster may kill such a job",
    )


def test_a_job_that_ran_out_of_memory_needs_no_remark() -> None:
    assert remarks("OOM") == ()
