"""Placement of pods on GPUs: whole cards, and shares of cards."""

import random
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.engines.local.controller.capacity import Capacity
from riseml.engines.local.controller.gpu_placement import Cards, lacks
from riseml.engines.local.controller.machine import MachineQueue
from riseml.gpus import Gpu
from riseml.plan import Resources

GB = 1_000_000_000
T4 = Gpu("GPU-t4", 0, "NVIDIA T4", mem=16 * GB)
A100 = Gpu("GPU-a100", 1, "NVIDIA A100-SXM4-80GB", mem=80 * GB)
A10 = Gpu("GPU-a10", 2, "NVIDIA A10", mem=24 * GB)
MACHINE = (A100, T4, A10)


def whole(count: int = 1, mem: int = 0, gpu_type: str = "") -> Resources:
    return Resources(Decimal(0), 0, gpus=count, gpu_mem=mem * GB, gpu_type=gpu_type)


def share(amount: str, mem: int = 0, gpu_type: str = "") -> Resources:
    return Resources(
        Decimal(0), 0, gpus=Decimal(amount), gpu_mem=mem * GB, gpu_type=gpu_type
    )


def placed(cards: Cards, *requests: Resources) -> list[list[str]] | None:
    placement = cards.place(requests)
    if placement is None:
        return None
    return [[gpu.name.split()[1][:4] for gpu in gpus] for gpus in placement]


def test_the_smallest_card_that_suffices_is_used() -> None:
    assert placed(Cards(MACHINE), whole()) == [["T4"]]
    assert placed(Cards(MACHINE), whole(mem=20)) == [["A10"]]
    assert placed(Cards(MACHINE), whole(mem=25)) == [["A100"]]
    assert placed(Cards(MACHINE), whole(gpu_type="a100")) == [["A100"]]
    assert placed(Cards(MACHINE), whole(2)) == [["T4", "A10"]]
    assert placed(Cards(MACHINE), whole(gpu_type="a10", mem=80)) is None


def test_pods_with_little_choice_choose_first() -> None:
    cards = Cards((T4, A100))
    assert placed(cards, whole(), whole(gpu_type="T4")) == [["A100"], ["T4"]]


def test_shares_fill_the_cards_that_have_shares() -> None:
    cards = Cards(MACHINE)
    assert placed(cards, share("0.25")) == [["T4"]]
    assert placed(cards, whole()) == [["A10"]]
    assert placed(cards, share("0.5")) == [["T4"]]
    assert placed(cards, share("0.5")) == [["A100"]]
    # The fullest card that has room.
    assert placed(cards, share("0.25")) == [["T4"]]
    assert placed(cards, share("0.25")) == [["A100"]]
    assert placed(cards, whole()) is None


def test_three_thirds_fill_a_card_exactly() -> None:
    cards = Cards((T4,))
    third = share("0.33")
    assert placed(cards, third, third, third) == [["T4"], ["T4"], ["T4"]]
    assert placed(cards, share("0.01")) is None


def test_the_memory_of_shares_never_exceeds_that_of_their_card() -> None:
    cards = Cards((T4,))
    assert placed(cards, share("0.25", mem=10)) == [["T4"]]
    assert placed(cards, share("0.25", mem=7)) is None
    # Without gpu_mem, a quarter of a card takes a quarter of its memory.
    cards = Cards((T4,))
    assert placed(cards, share("0.25", mem=10)) == [["T4"]]
    assert placed(cards, share("0.25")) == [["T4"]]
    assert placed(cards, share("0.25")) is None
    assert placed(Cards((T4,)), share("0.5", mem=17)) is None


def test_a_gang_is_placed_completely_or_not_at_all() -> None:
    half = share("0.5")
    assert placed(Cards((T4,)), half, half) == [["T4"], ["T4"]]
    assert placed(Cards((T4,)), half, half, half) is None
    assert placed(Cards((T4,)), half, whole()) is None
    assert placed(Cards((T4, A10)), half, whole(), half) == [["T4"], ["A10"], ["T4"]]


def test_a_pod_that_waits_for_a_card_is_not_starved_by_shares() -> None:
    capacity = Capacity(Decimal(8), 8 * GB, (T4,))
    queue = MachineQueue(capacity)
    queue.add("a", share("0.5"))
    queue.add("b", share("0.25"))
    assert [pod.key for pod in queue.admit()] == ["a", "b"]
    queue.add("large", whole())
    queue.add("c", share("0.25"))
    assert list(queue.admit()) == []
    assert queue.reason("large") == "waiting: 1 gpu needed, 0 free"
    assert queue.reason("c") == "waiting: earlier jobs come first"
    queue.remove("a")
    assert list(queue.admit()) == []
    queue.remove("b")
    assert [pod.key for pod in queue.admit()] == ["large"]
    queue.remove("large")
    assert [pod.key for pod in queue.admit()] == ["c"]


def test_a_card_that_the_machine_has_lost_is_ignored() -> None:
    cards = Cards((T4,))
    cards.add_running(whole(), ("GPU-lost",))
    assert placed(cards, whole()) == [["T4"]]


@pytest.mark.parametrize(
    ("requests", "gpus", "text"),
    [
        ([whole(3)], (T4, T4), "gpus: 3 requested, this machine has 2"),
        ([whole(), whole()], (T4,), "gpus: 2 requested, this machine has 1"),
        ([share("0.25")], (), "gpus: 0.25 requested, this machine has 0"),
        (
            [whole(mem=24, gpu_type="a100")],
            (T4,),
            "gpus: a100 with 24 GB requested, this machine has 1 NVIDIA T4 (16 GB)",
        ),
        (
            [whole(2, gpu_type="a100")],
            MACHINE,
            (
                "gpus: 2 a100 requested, this machine has 1 NVIDIA A100-SXM4-80GB (80 GB),"
                " 1 NVIDIA T4 (16 GB), 1 NVIDIA A10 (24 GB)"
            ),
        ),
        (
            [share("0.5", mem=20)],
            (T4, Gpu("1", 1)),
            (
                "gpus: 0.5 with 20 GB requested, this machine has 1 NVIDIA T4 (16 GB),"
                " 1 of unknown type (unknown memory)"
            ),
        ),
        (
            [share("0.5", mem=10)] * 2,
            (T4,),
            "gpus: 2 times 0.5 with 10 GB requested, this machine has 1 NVIDIA T4 (16 GB)",
        ),
        (
            [share("0.5"), whole()],
            (T4,),
            "gpus: 0.5, 1 requested at once, this machine has 1 NVIDIA T4 (16 GB)",
        ),
        ([whole(2, mem=20)], MACHINE, ""),
        ([Resources()], (), ""),
    ],
)
def test_what_a_machine_can_never_run_is_explained(
    requests: Sequence[Resources], gpus: tuple[Gpu, ...], text: str
) -> None:
    gpus = tuple(
        Gpu(f"{gpu.id}-{number}", number, gpu.name, mem=gpu.mem)
        for number, gpu in enumerate(gpus)
    )
    assert lacks(requests, gpus) == text


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (whole(), ["1 gpu needed, 0 free"]),
        (whole(2), ["2 gpus needed, 0 free"]),
        (whole(mem=8), ["1 gpu with 8 GB needed, 0 free"]),
        (whole(gpu_type="t4"), ["1 t4 needed, 0 free"]),
        (share("0.5"), ["0.5 gpus needed, 0.25 free on one card"]),
        (
            share("0.25", mem=9),
            ["0.25 gpus with 9 GB needed, 0.25 and 4 GB free on one card"],
        ),
        (share("0.25"), []),
    ],
)
def test_what_a_waiting_pod_lacks_is_named(
    request_: Resources, text: list[str]
) -> None:
    cards = Cards((T4,))
    cards.add_running(share("0.5"), (T4.id,))
    cards.add_running(share("0.25"), (T4.id,))
    assert cards.shortages([request_]) == text


pods = st.lists(
    st.builds(
        Resources,
        cpus=st.just(Decimal(0)),
        mem=st.just(0),
        gpus=st.sampled_from([0, 1, 2, *map(Decimal, ("0.5", "0.33", "0.25", "0.1"))]),
        gpu_mem=st.sampled_from([0, 2 * GB, 10 * GB]),
        gpu_type=st.sampled_from(["", "", "t4"]),
    ),
    max_size=14,
)


@given(pods, st.randoms(use_true_random=False))
def test_no_card_is_ever_overcommitted_and_all_pods_start_in_the_end(
    requests: list[Resources], chance: random.Random
) -> None:
    gpus = (T4, Gpu("GPU-t4-2", 3, "NVIDIA T4", mem=16 * GB), A10)
    memory = {gpu.id: gpu.mem for gpu in gpus}
    queue = MachineQueue(Capacity(Decimal(1), GB, gpus))
    for number, request in enumerate(requests):
        queue.add(str(number), request)
    ended = 0
    while queue.waiting or queue.running:
        for admission in queue.admit():
            request, ids = queue.running[admission.key]
            assert len(set(ids)) == len(ids) == request.visible_gpus
        used: dict[str, list[Resources]] = {gpu.id: [] for gpu in gpus}
        for request, ids in queue.running.values():
            for gpu_id in ids:
                used[gpu_id].append(request)
        for gpu_id, users in used.items():
            if any(request.whole_gpus for request in users):
                assert len(users) == 1
                continue
            assert sum(Fraction(1, request.gpu_parts) for request in users) <= 1
            mem = [
                request.gpu_mem or memory[gpu_id] // request.gpu_parts
                for request in users
            ]
            assert sum(mem) <= memory[gpu_id]
        queue.remove(chance.choice(sorted(queue.running)))
        ended += 1
    assert ended == len(requests)


def test_shares_are_placed_on_the_cards_that_a_pod_may_use() -> None:
    cards = Cards(MACHINE)
    view = cards.only([A10.id, A100.id])
    assert placed(view, share("0.5")) == [["A10"]]
    assert placed(cards, whole()) == [["T4"]]
    assert placed(cards.only([A10.id]), share("0.5")) == [["A10"]]
    assert placed(cards.only([A10.id]), share("0.5")) is None
    assert cards.only([A10.id]) is cards.only((A10.id,))


def test_a_request_that_is_refused_again_changes_nothing() -> None:
    cards = Cards((T4, A10))
    assert placed(cards, whole(gpu_type="t4")) == [["T4"]]
    for _ in range(2):
        assert placed(cards, whole(gpu_type="t4")) is None
    assert placed(cards, whole()) == [["A10"]]


def test_a_job_gets_one_slice_of_a_card_only() -> None:
    """CUDA shows a program one slice, however many are named."""
    slices = tuple(Gpu(f"MIG-{number}", 0, "A100 MIG", mem=GB) for number in range(2))
    assert Cards(slices).place([whole()] * 2) == [(slices[0],), (slices[1],)]
    assert lacks([whole(2)], slices) == (
        "gpus: 2 requested, this machine has 2; a job can use one MIG slice only"
    )
    assert lacks([whole(2)], (*slices, T4, A10)) == ""
    assert lacks([whole(3)], (T4,)) == "gpus: 3 requested, this machine has 1"
