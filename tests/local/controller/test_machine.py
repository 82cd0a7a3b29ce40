import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.engines.local.controller.machine import Admission, Capacity, machine
from riseml.plan import Resources

MACHINE = Capacity(Decimal(4), 8_000_000_000, ("0", "1"))


def want(cpus: str = "1", mem: int = 100, gpus: int = 0) -> Resources:
    return Resources(Decimal(cpus), mem * 1_000_000, gpus)


def admitted(admission: Admission) -> list[str]:
    return [key for key, _ in admission.admit()]


def test_first_come_first_served_while_there_is_room() -> None:
    admission = Admission(MACHINE)
    for key in "abcde":
        admission.ask(key, want())
    assert admitted(admission) == ["a", "b", "c", "d"]
    admission.leave("b")
    assert admitted(admission) == ["e"]


def test_a_large_job_is_not_starved_by_small_ones() -> None:
    admission = Admission(MACHINE)
    admission.hold("running", want("2"), ())
    admission.ask("large", want("4"))
    admission.ask("small", want("1"))
    assert admitted(admission) == []
    admission.leave("running")
    assert admitted(admission) == ["large"]


def test_a_job_that_waits_for_gpus_lets_others_pass() -> None:
    admission = Admission(MACHINE)
    admission.hold("trainer", want("1", gpus=2), ("0", "1"))
    admission.ask("gpu", want("1", gpus=1))
    admission.ask("cpu", want("1"))
    assert admitted(admission) == ["cpu"]
    assert admission.reason("gpu") == "Unschedulable: gpus: 1 asked for, 0 free"


def test_what_asks_for_nothing_starts_with_its_run() -> None:
    nothing = want("0", mem=0)
    admission = Admission(MACHINE)
    admission.ask("1:board", nothing, run="1:")
    admission.ask("1:a", want("4"), run="1:")
    admission.ask("1:b", want("4"), run="1:")
    admission.ask("2:board", nothing, run="2:")
    admission.ask("2:a", want("4"), run="2:")
    assert admitted(admission) == ["1:a", "1:board"]
    assert (
        admission.reason("2:board")
        == "Unschedulable: it starts with the first job of its run"
    )
    assert admission.reason("1:b") == "Unschedulable: cpus: 4 asked for, 0 free"
    admission.leave("2:a")
    assert admitted(admission) == ["2:board"]
    admission.leave("1:a")
    assert admitted(admission) == ["1:b"]


def test_a_gang_gets_its_places_together_or_not_at_all() -> None:
    admission = Admission(MACHINE)
    admission.hold("running", want("2.5"), ())
    for key in ("worker", "ps"):
        admission.ask(key, want("1"), "gang")
    admission.ask("later", want("0.5"))
    assert admitted(admission) == []
    assert admission.reason("ps") == "Unschedulable: cpus: 2 asked for, 1.5 free"
    admission.leave("running")
    assert admitted(admission) == ["worker", "ps", "later"]


def test_the_jobs_of_a_gang_share_the_gpus() -> None:
    admission = Admission(MACHINE)
    for key in ("a", "b"):
        admission.ask(key, want(gpus=1), "gang")
    assert dict(admission.admit()) == {"a": ("0",), "b": ("1",)}


def test_who_leaves_a_gang_does_not_hold_up_the_others() -> None:
    admission = Admission(MACHINE)
    for key in ("a", "b"):
        admission.ask(key, want("3"), "gang")
    assert admitted(admission) == []
    admission.leave("a")
    assert admitted(admission) == ["b"]


def test_gpus_are_never_given_twice() -> None:
    admission = Admission(MACHINE)
    for key in "abc":
        admission.ask(key, want(gpus=1))
    assert dict(admission.admit()) == {"a": ("0",), "b": ("1",)}
    admission.leave("a")
    assert dict(admission.admit()) == {"c": ("0",)}


@pytest.mark.parametrize(
    ("request_", "lacks"),
    [
        (want("4"), ""),
        (want("4.5"), "cpus: 4.5 asked for, 4 on this machine"),
        (want(mem=9000), "mem: 9000 asked for, 8000 on this machine"),
        (want(gpus=3), "gpus: 3 asked for, 2 on this machine"),
    ],
)
def test_what_can_never_fit_is_said(request_: Resources, lacks: str) -> None:
    assert MACHINE.lacks(request_) == lacks


def test_the_environment_overrules_what_the_machine_says() -> None:
    assert machine(
        {"RISEML_CPUS": "2.5", "RISEML_MEM": "1000", "RISEML_GPUS": "3,5"}
    ) == Capacity(Decimal("2.5"), 1_000_000_000, ("3", "5"))
    assert machine({"CUDA_VISIBLE_DEVICES": "1"}).gpus == ("1",)
    assert machine({"CUDA_VISIBLE_DEVICES": "-1"}).gpus == ()


jobs = st.lists(
    st.builds(
        want,
        st.sampled_from(["0.5", "1", "2", "4"]),
        st.integers(1, 8000),
        st.integers(0, 2),
    ),
    max_size=12,
)


@given(jobs, st.randoms(use_true_random=False))
def test_never_more_than_the_machine_has_and_all_runs_in_the_end(
    wanted: list[Resources], chance: random.Random
) -> None:
    admission = Admission(MACHINE)
    for number, request in enumerate(wanted):
        admission.ask(str(number), request)
    done = 0
    while admission.waiting or admission.running:
        list(admission.admit())
        running = [request for request, _ in admission.running.values()]
        gpus = [gpu for _, names in admission.running.values() for gpu in names]
        assert sum(request.cpus for request in running) <= MACHINE.cpus
        assert sum(request.mem for request in running) <= MACHINE.mem
        assert len(gpus) == len(set(gpus)) == sum(request.gpus for request in running)
        admission.leave(chance.choice(sorted(admission.running)))
        done += 1
    assert done == len(wanted)
