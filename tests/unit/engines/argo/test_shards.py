"""Sets in several Workflows: how they are split, and how they are read as one run."""

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
from riseml.status.shards import merged
from tests.unit.plans import ORIGIN, Document, compiled, grid, template


def plan(count: int, **changes: object) -> ExperimentSet:
    return grid(*({"lr": str(n)} for n in range(1, count + 1)), **changes)


def workflows(set_plan: ExperimentSet, share: float) -> list[Document]:
    return [
        compiled(shard_plan, replace(ORIGIN, shard=shard))
        for shard_plan, shard in shards.split(set_plan, share)
    ]


def test_a_set_that_fits_is_one_workflow() -> None:
    set_plan = plan(10)
    assert shards.split(set_plan, shards.FILL) == [(set_plan, None)]


@given(total=st.integers(2, 200), share=st.floats(0.81, 25))
def test_every_experiment_is_in_one_shard_and_no_shard_is_too_full(
    total: int, share: float
) -> None:
    set_plan = plan(total)
    count = math.ceil(share / shards.FILL)
    if count > total:
        with pytest.raises(RiseMLError, match=f"{total} experiments are too many"):
            shards.split(set_plan, share)
        return
    plans, indices = zip(*shards.split(set_plan, share), strict=True)
    groups = [shard_plan.experiments for shard_plan in plans]
    assert tuple(itertools.chain(*groups)) == set_plan.experiments
    expected = [Shard(index, len(plans)) for index in range(1, len(plans) + 1)]
    assert list(indices) == expected
    assert len(plans) <= shards.MOST
    assert max(map(len, groups)) == math.ceil(total / count)


def test_too_many_shards_are_refused() -> None:
    with pytest.raises(
        RiseMLError,
        match="10000 experiments are too many: they would need 38 Workflows",
    ) as caught:
        shards.split(plan(10_000), 30)
    assert "Give one parameter fewer values" in caught.value.advice


# One example compiles thousands of experiments.
@settings(max_examples=4)
@given(count=st.integers(3000, 5000))
def test_a_shard_of_a_large_set_fits(count: int) -> None:
    set_plan = plan(count, concurrency=8)
    (first, shard), *_ = shards.split(set_plan, limits.share_of(compiled(set_plan)))
    assert (
        limits.share_of(compiled(first, replace(ORIGIN, shard=shard)))
        < shards.FILL * 1.1
    )


def test_shards_share_their_concurrency_and_have_different_names() -> None:
    documents = workflows(plan(7, concurrency=2), 2.0)
    assert [document["metadata"]["name"] for document in documents] == [
        "mnist-14-s1",
        "mnist-14-s2",
        "mnist-14-s3",
    ]
    assert [shards.order(document) for document in reversed(documents)] == [3, 2, 1]
    assert {
        document["metadata"]["labels"][labels.NUMBER] for document in documents
    } == {"14"}
    slots = {"semaphores": [{"configMapKeyRef": {"name": "riseml", "key": "slots-14"}}]}
    assert [
        template(document, "experiment")["synchronization"] for document in documents
    ] == [slots] * 3


def test_shards_are_read_as_one_workflow_would_be() -> None:
    set_plan = plan(7)
    read = merged([status.read(document) for document in workflows(set_plan, 2.0)])
    one = status.read(compiled(set_plan))
    assert [experiment.id for experiment in read.experiments] == [
        f"14.{n}" for n in range(1, 8)
    ]
    assert [shard.index for shard in read.shards] == [1, 2, 3]
    numbered = [replace(experiment, shard=1) for experiment in read.experiments]
    assert replace(
        read, name="", concurrency=None, shards=(), experiments=tuple(numbered)
    ) == replace(one, name="", concurrency=None)


def shard_status(
    first: int, *states: State, jobs: tuple[JobStatus, ...] = ()
) -> SetStatus:
    experiments = tuple(
        ExperimentStatus(id=f"14.{n}", sub=n, state=state)
        for n, state in enumerate(states, first)
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
    run = merged([shard_status(1, *first), shard_status(len(first) + 1, *second)])
    assert run.state is state
    assert sum(run.counts.values()) == len(first) + len(second)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([State.FINISHED, State.FAILED, State.RUNNING], State.FAILED),
        ([State.FINISHED, State.RUNNING, State.PENDING], State.RUNNING),
        ([State.FINISHED, State.PENDING], State.PENDING),
        ([State.FINISHED, State.KILLED], State.KILLED),
        ([State.FINISHED, State.FINISHED], State.FINISHED),
    ],
)
def test_a_job_of_several_shards_has_the_state_that_says_most(
    states: list[State], state: State
) -> None:
    parts = [
        shard_status(
            n,
            State.PENDING,
            jobs=(
                JobStatus(id="14.build", type="build", state=state, message=f"of {n}"),
            ),
        )
        for n, state in enumerate(states)
    ]
    (job,) = merged(parts).jobs
    assert (job.state, job.message) == (state, f"of {states.index(state)}")


def test_shards_build_their_image_once() -> None:
    set_plan = plan(4, install=("pip install x",))
    origin = replace(ORIGIN, build=Build("k" * 24))
    documents = [
        compiled(shard_plan, replace(origin, shard=shard))
        for shard_plan, shard in shards.split(set_plan, 1.0)
    ]
    mutexes = [template(document, "build")["synchronization"] for document in documents]
    assert mutexes == [{"mutexes": [{"name": f"riseml-build-{'k' * 24}"}]}] * 2
    assert [
        job.id for job in merged([status.read(document) for document in documents]).jobs
    ] == ["14.build"]
