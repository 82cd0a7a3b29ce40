"""Sets in several Workflows: how they are split, and that all that is read of them is one run."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riseml import labels, status
from riseml.compiler import limits
from riseml.engines.argo import shards
from riseml.errors import RiseMLError
from riseml.plan import Build, ExperimentSet, Shard
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, set_state
from tests.unit.plans import ORIGIN, Document, compiled, grid, template


def plan(cells: int, **changes: object) -> ExperimentSet:
    return grid(*({"lr": str(n)} for n in range(1, cells + 1)), **changes)


def workflows(whole: ExperimentSet, share: float) -> list[Document]:
    return [
        compiled(part, replace(ORIGIN, shard=shard))
        for part, shard in shards.split(whole, share)
    ]


def test_what_fits_is_one_workflow() -> None:
    whole = plan(10)
    assert shards.split(whole, shards.FILL) == [(whole, None)]


@given(cells=st.integers(2, 200), share=st.floats(0.81, 25))
def test_every_experiment_is_in_one_shard_and_none_is_too_full(
    cells: int, share: float
) -> None:
    whole = plan(cells)
    count = math.ceil(share / shards.FILL)
    if count > cells:
        with pytest.raises(RiseMLError, match=f"{cells} experiments are too many"):
            shards.split(whole, share)
        return
    parts = shards.split(whole, share)
    assert (
        tuple(itertools.chain(*(part.experiments for part, _ in parts)))
        == whole.experiments
    )
    assert [shard for _, shard in parts] == [
        Shard(index, len(parts)) for index in range(1, len(parts) + 1)
    ]
    assert len(parts) <= shards.MOST
    assert max(len(part.experiments) for part, _ in parts) == math.ceil(cells / count)


def test_more_than_can_be_told_apart_is_refused() -> None:
    with pytest.raises(
        RiseMLError,
        match="10000 experiments are too many: they would need 38 Workflows",
    ) as caught:
        shards.split(plan(10_000), 30)
    assert "Give one parameter fewer values" in caught.value.advice


# One example compiles thousands of experiments.
@settings(max_examples=4)
@given(cells=st.integers(3000, 5000))
def test_a_shard_of_a_large_set_fits(cells: int) -> None:
    whole = plan(cells, concurrency=8)
    (first, shard), *_ = shards.split(whole, limits.share_of(compiled(whole)))
    assert (
        limits.share_of(compiled(first, replace(ORIGIN, shard=shard)))
        < shards.FILL * 1.1
    )


def test_shards_share_their_concurrency_and_are_told_apart() -> None:
    made = workflows(plan(7, concurrency=2), 2.0)
    assert [each["metadata"]["name"] for each in made] == [
        "mnist-14-s1",
        "mnist-14-s2",
        "mnist-14-s3",
    ]
    assert [shards.order(each) for each in reversed(made)] == [3, 2, 1]
    assert {each["metadata"]["labels"][labels.NUMBER] for each in made} == {"14"}
    slots = {"semaphores": [{"configMapKeyRef": {"name": "riseml", "key": "slots-14"}}]}
    assert [template(each, "experiment")["synchronization"] for each in made] == [
        slots
    ] * 3


def test_what_is_read_of_shards_is_what_would_be_read_of_one() -> None:
    whole = plan(7)
    read = shards.merged([status.read(each) for each in workflows(whole, 2.0)])
    one = status.read(compiled(whole))
    assert [each.id for each in read.experiments] == [f"14.{n}" for n in range(1, 8)]
    assert replace(read, name="", concurrency=None) == replace(
        one, name="", concurrency=None
    )


def part(*states: State, jobs: tuple[JobStatus, ...] = ()) -> SetStatus:
    experiments = tuple(
        ExperimentStatus(id=f"14.{n}", sub=n, state=state)
        for n, state in enumerate(states, 1)
    )
    counts = {state: states.count(state) for state in states}
    return SetStatus(
        "14",
        is_set=True,
        state=set_state(counts),
        counts=counts,
        experiments=experiments,
        jobs=jobs,
    )


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ([State.FINISHED], [State.PENDING], State.RUNNING),
        ([State.FINISHED, State.KILLED], [State.FINISHED], State.KILLED),
        ([State.FINISHED], [State.FAILED], State.FAILED),
        ([State.CREATED], [State.STARTING], State.STARTING),
    ],
)
def test_the_state_is_that_of_all_experiments(
    first: list[State], second: list[State], state: State
) -> None:
    found = shards.merged([part(*first), part(*second)])
    assert found.state is state
    assert sum(found.counts.values()) == len(first) + len(second)


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([State.FINISHED, State.FAILED, State.RUNNING], State.FAILED),
        ([State.FINISHED, State.RUNNING, State.PENDING], State.RUNNING),
        ([State.FINISHED, State.PENDING], State.PENDING),
        ([State.FINISHED, State.KILLED], State.KILLED),
        ([State.FINISHED, State.FINISHED], State.FINISHED),
    ],
)
def test_of_jobs_that_each_shard_has_the_one_that_tells_most_is_shown(
    states: list[State], shown: State
) -> None:
    parts = [
        part(
            State.PENDING,
            jobs=(
                JobStatus(id="14.build", type="build", state=state, message=f"of {n}"),
            ),
        )
        for n, state in enumerate(states)
    ]
    (job,) = shards.merged(parts).jobs
    assert (job.state, job.message) == (shown, f"of {states.index(shown)}")


def test_every_shard_takes_the_image_that_the_first_has_built() -> None:
    whole = plan(4, install=("pip install x",))
    origin = replace(ORIGIN, build=Build("k" * 24))
    made = [
        compiled(each, replace(origin, shard=shard))
        for each, shard in shards.split(whole, 1.0)
    ]
    mutexes = [template(each, "build")["synchronization"] for each in made]
    assert mutexes == [{"mutexes": [{"name": f"riseml-build-{'k' * 24}"}]}] * 2
    assert [
        job.id for job in shards.merged([status.read(each) for each in made]).jobs
    ] == ["14.build"]
