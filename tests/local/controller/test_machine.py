"""Queue for the resources of a machine."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.engines.local.controller import capacity as capacity_module
from riseml.engines.local.controller.capacity import Capacity, measure_machine
from riseml.engines.local.controller.machine import MachineQueue
from riseml.gpus import Gpu
from riseml.plan import Resources

MACHINE = Capacity(Decimal(4), 8_000_000_000, (Gpu("0", 0), Gpu("1", 1)))


def request(cpus: str = "1", mem: int = 100, gpus: int = 0) -> Resources:
    return Resources(Decimal(cpus), mem * 1_000_000, gpus)


def gpus_by_key(queue: MachineQueue) -> dict[str, tuple[str, ...]]:
    return {
        admission.key: tuple(gpu.id for gpu in admission.gpus)
        for admission in queue.admit()
    }


def admitted(queue: MachineQueue) -> list[str]:
    return [admission.key for admission in queue.admit()]


def test_pods_start_in_order_while_resources_last() -> None:
    queue = MachineQueue(MACHINE)
    for key in "abcde":
        queue.add(key, request())
    assert admitted(queue) == ["a", "b", "c", "d"]
    queue.remove("b")
    assert admitted(queue) == ["e"]


def test_small_pods_do_not_starve_a_large_one() -> None:
    queue = MachineQueue(MACHINE)
    queue.add_running("running", request("2"), ())
    queue.add("large", request("4"))
    queue.add("small", request("1"))
    assert admitted(queue) == []
    queue.remove("running")
    assert admitted(queue) == ["large"]


def test_a_pod_that_waits_for_gpus_does_not_block_others() -> None:
    queue = MachineQueue(MACHINE)
    queue.add_running("trainer", request("1", gpus=2), ("0", "1"))
    queue.add("gpu", request("1", gpus=1))
    queue.add("cpu", request("1"))
    assert admitted(queue) == ["cpu"]
    assert queue.reason("gpu") == "waiting: 1 gpu needed, 0 free"


def test_a_pod_that_requests_nothing_starts_with_its_run() -> None:
    nothing = request("0", mem=0)
    queue = MachineQueue(MACHINE)
    queue.add("1:board", nothing, run_prefix="1:")
    queue.add("1:a", request("4"), run_prefix="1:")
    queue.add("1:b", request("4"), run_prefix="1:")
    queue.add("2:board", nothing, run_prefix="2:")
    queue.add("2:a", request("4"), run_prefix="2:")
    assert admitted(queue) == ["1:a", "1:board"]
    assert queue.reason("2:board") == "waiting: it starts with the first job of its run"
    assert queue.reason("1:b") == "waiting: 4 cpus needed, 0 free"
    queue.remove("2:a")
    assert admitted(queue) == ["2:board"]
    queue.remove("1:a")
    assert admitted(queue) == ["1:b"]


def test_a_gang_starts_together_or_not_at_all() -> None:
    queue = MachineQueue(MACHINE)
    queue.add_running("running", request("2.5"), ())
    for key in ("worker", "ps"):
        queue.add(key, request("1"), "gang")
    queue.add("later", request("0.5"))
    assert admitted(queue) == []
    assert queue.reason("ps") == "waiting: 2 cpus needed, 1.5 free"
    queue.remove("running")
    assert admitted(queue) == ["worker", "ps", "later"]


def test_pods_of_a_gang_get_different_gpus() -> None:
    queue = MachineQueue(MACHINE)
    for key in ("a", "b"):
        queue.add(key, request(gpus=1), "gang")
    assert gpus_by_key(queue) == {"a": ("0",), "b": ("1",)}


def test_a_pod_removed_from_a_gang_does_not_block_the_others() -> None:
    queue = MachineQueue(MACHINE)
    for key in ("a", "b"):
        queue.add(key, request("3"), "gang")
    assert admitted(queue) == []
    queue.remove("a")
    assert admitted(queue) == ["b"]


def test_a_gpu_is_never_assigned_twice() -> None:
    queue = MachineQueue(MACHINE)
    for key in "abc":
        queue.add(key, request(gpus=1))
    assert gpus_by_key(queue) == {"a": ("0",), "b": ("1",)}
    queue.remove("a")
    assert gpus_by_key(queue) == {"c": ("0",)}


@pytest.mark.parametrize(
    ("request_", "lacks"),
    [
        (request("4"), ""),
        (request("4.5"), "cpus: 4.5 requested, this machine has 4"),
        (request(mem=9000), "mem: 9000 requested, this machine has 8000"),
        (request(gpus=3), "gpus: 3 requested, this machine has 2"),
        (
            request("4.5", gpus=3),
            "cpus: 4.5 requested, this machine has 4; gpus: 3 requested, this machine has 2",
        ),
    ],
)
def test_a_request_that_can_never_fit_is_explained(
    request_: Resources, lacks: str
) -> None:
    assert MACHINE.lacks(request_) == lacks


def test_settings_override_the_measured_machine() -> None:
    assert measure_machine(
        {"RISEML_CPUS": "2.5", "RISEML_MEM": "1000", "RISEML_GPUS": "3,5"}
    ) == Capacity(Decimal("2.5"), 1_000_000_000, (Gpu("3", 3), Gpu("5", 5)))
    assert measure_machine({"RISEML_GPUS": ""}).gpus == ()


def group_with(monkeypatch: pytest.MonkeyPatch, **files: str) -> None:
    """Let the control group of this process seem to have some files of version 2."""

    def read(path: str) -> str:
        folder, _, name = path.rpartition("/")
        return files.get(name.replace(".", "_"), "") if "cgroup" in folder else ""

    monkeypatch.setattr(capacity_module, "_read", read)


def test_a_cpu_quota_below_the_number_of_cpus_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity_module, "_cores", lambda: Decimal(64))
    group_with(monkeypatch, cpu_max="200000 100000", memory_max="1000000000")
    capacity = measure_machine({})
    assert capacity == Capacity(Decimal(2), 1_000_000_000, capacity.gpus)
    queue = MachineQueue(capacity)
    for key in "abc":
        queue.add(key, request())
    assert admitted(queue) == ["a", "b"]
    assert queue.reason("c") == "waiting: 1 cpu needed, 0 free"
    assert capacity.lacks(request("3")) == "cpus: 3 requested, this machine has 2"
    assert measure_machine({"RISEML_CPUS": "8"}).cpus == 8


def test_a_cpu_quota_above_the_number_of_cpus_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity_module, "_cores", lambda: Decimal(2))
    group_with(monkeypatch, cpu_max="6400000 100000")
    assert measure_machine({}).cpus == 2


ZERO, ONE, BOTH = frozenset({0}), frozenset({1}), frozenset({0, 1})


def test_pods_share_the_cpus_that_their_commands_may_use() -> None:
    queue = MachineQueue(MACHINE)
    queue.add("a", request(), cpus=ZERO)
    queue.add("b", request(), cpus=ZERO)
    queue.add("c", request(), cpus=ONE)
    queue.add("d", request(), cpus=BOTH)
    queue.add("free", request("2"))
    # The others wait for CPUs that are in use, and delay no pod that may use others.
    assert admitted(queue) == ["a", "c", "free"]
    assert queue.reason("b") == "waiting: 1 cpu needed, 0 free"
    assert queue.reason("d") == "waiting: 1 cpu needed, 0 free"
    queue.remove("a")
    assert admitted(queue) == ["b"]
    queue.remove("b")
    queue.remove("c")
    assert admitted(queue) == ["d"]


def test_a_small_pod_does_not_overtake_a_large_one_on_the_same_cpus() -> None:
    queue = MachineQueue(MACHINE)
    queue.add_running("running", request("1"), (), BOTH)
    queue.add("large", request("2"), cpus=BOTH)
    queue.add("small", request("1"), cpus=BOTH)
    assert admitted(queue) == []
    queue.remove("running")
    assert admitted(queue) == ["large"]


def test_a_restricted_run_may_use_no_more_than_the_machine_has() -> None:
    queue = MachineQueue(MACHINE)
    assert queue.capacity_for(frozenset()) == MACHINE
    assert queue.capacity_for(frozenset(range(64))) == MACHINE
    lack = queue.capacity_for(BOTH).lacks(request("3"))
    assert lack == "cpus: 3 requested, the CPU affinity of this command allows 2"


jobs = st.lists(
    st.builds(
        request,
        st.sampled_from(["0.5", "1", "2", "4"]),
        st.integers(1, 8000),
        st.integers(0, 2),
    ),
    max_size=12,
)


@given(jobs, st.randoms(use_true_random=False))
def test_pods_never_exceed_the_machine_and_all_start_in_the_end(
    requests: list[Resources], chance: random.Random
) -> None:
    queue = MachineQueue(MACHINE)
    for number, request in enumerate(requests):
        queue.add(str(number), request)
    done = 0
    while queue.waiting or queue.running:
        list(queue.admit())
        running = [request for request, _ in queue.running.values()]
        gpus = [gpu for _, names in queue.running.values() for gpu in names]
        assert sum(request.cpus for request in running) <= MACHINE.cpus
        assert sum(request.mem for request in running) <= MACHINE.mem
        assert len(gpus) == len(set(gpus)) == sum(request.gpus for request in running)
        queue.remove(chance.choice(sorted(queue.running)))
        done += 1
    assert done == len(requests)


def test_a_request_of_one_byte_too_many_is_refused() -> None:
    request_ = Resources(Decimal(1), MACHINE.mem + 1)
    assert MACHINE.lacks(request_) == "mem: 8001 requested, this machine has 8000"
    assert not MACHINE.fits(request_)
