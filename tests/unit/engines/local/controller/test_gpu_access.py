"""GPUs that pods may get."""

import time
from collections.abc import Mapping
from decimal import Decimal

import pytest

from riseml.engines.local.controller.capacity import Capacity
from riseml.engines.local.controller.gpu_access import GpuAccess
from riseml.engines.local.controller.gpu_survey import GpuSurvey
from riseml.engines.local.controller.loop import EventLoop
from riseml.engines.local.controller.machine import MachineQueue
from riseml.gpus import Gpu
from riseml.gpus.holders import Holder
from riseml.plan import Resources
from riseml.settings import SHARED_GPUS

GPUS = (Gpu("GPU-a", 0), Gpu("GPU-b", 1))
ONE_GPU = Resources(Decimal(1), 1, Decimal(1))
HOLDER = Holder(GPUS[0], 7, "python3", "ida", 900_000_000)
USE = "GPU 0 is in use by python3 (pid 7, user ida, 900 MB)"


class Machine:
    """A queue whose drivers answer what a test tells; `environments` has those of pods."""

    def __init__(self) -> None:
        self.holders: Mapping[str, Holder] = {}
        self.environments: dict[str, dict[str, str]] = {}
        self.loop = EventLoop()
        self.survey = GpuSurvey(lambda gpus, assigned: self.holders, self.loop)
        access = GpuAccess(
            GPUS, lambda key: self.environments.get(key, {}), "home", self.survey
        )
        self.queue = MachineQueue(Capacity(Decimal(8), 1 << 40, GPUS), access)

    def add(self, key: str, **environment: str) -> None:
        self.environments[key] = environment
        self.queue.add(key, ONE_GPU)

    def admit(self) -> dict[str, list[str]]:
        """Return the ids of the GPUs of the pods that start, by their keys."""
        started = list(self.queue.admit())
        if self.survey.is_asking:
            self.loop.run_once(time.monotonic() + 60)
            started += self.queue.admit()
        return {pod.key: [gpu.id for gpu in pod.gpus] for pod in started}


@pytest.fixture
def machine() -> Machine:
    """Return a machine with two GPUs."""
    return Machine()


def test_a_pod_waits_for_the_answer_of_the_drivers(machine: Machine) -> None:
    machine.add("pod")
    assert list(machine.queue.admit()) == []
    # Its message does not change for that moment.
    assert machine.queue.reason("pod") == ""
    assert machine.admit() == {"pod": ["GPU-a"]}


def test_a_gpu_of_others_is_not_assigned(machine: Machine) -> None:
    machine.holders = {"GPU-a": HOLDER}
    machine.add("first")
    machine.add("second")
    assert machine.admit() == {"first": ["GPU-b"]}
    assert machine.queue.reason("second") == f"waiting: 1 gpu needed, 0 free; {USE}"
    machine.holders = {}
    machine.survey.invalidate()
    assert machine.admit() == {"second": ["GPU-a"]}


@pytest.mark.parametrize("value", ["true", "1", "Yes"])
def test_a_command_may_share_gpus_with_others(machine: Machine, value: str) -> None:
    machine.holders = {"GPU-a": HOLDER, "GPU-b": HOLDER}
    machine.add("alone", **{SHARED_GPUS: "false"})
    machine.add("sharing", **{SHARED_GPUS: value})
    assert machine.admit() == {"sharing": ["GPU-a"]}


def test_a_command_may_use_some_gpus_only(machine: Machine) -> None:
    machine.add("first", CUDA_VISIBLE_DEVICES="1")
    machine.add("second", CUDA_VISIBLE_DEVICES="1")
    machine.add("third")
    assert machine.admit() == {"first": ["GPU-b"], "third": ["GPU-a"]}
    assert machine.queue.reason("second") == "waiting: 1 gpu needed, 0 free"


def test_a_remark_is_about_gpus_that_the_command_may_use(machine: Machine) -> None:
    machine.holders = {"GPU-a": HOLDER}
    machine.add("first", CUDA_VISIBLE_DEVICES="1")
    machine.add("second", CUDA_VISIBLE_DEVICES="1")
    machine.admit()
    assert machine.queue.reason("second") == "waiting: 1 gpu needed, 0 free"


def test_what_a_command_can_never_get_is_known(machine: Machine) -> None:
    capacity = machine.queue.capacity_for(frozenset(), {"CUDA_VISIBLE_DEVICES": "1"})
    two = Resources(Decimal(1), 1, Decimal(2))
    assert capacity.lacks(two) == (
        "gpus: 2 requested, this machine has 1 with CUDA_VISIBLE_DEVICES=1"
    )
    in_a_job = {"RISEML_JOB_KEY": "home:1:node", "CUDA_VISIBLE_DEVICES": ""}
    assert machine.queue.capacity_for(frozenset(), in_a_job).lacks(two) == ""


def test_the_drivers_are_not_asked_while_jobs_have_all_gpus(machine: Machine) -> None:
    machine.add("first")
    machine.add("second")
    machine.add("third")
    machine.admit()
    machine.survey.invalidate()
    assert list(machine.queue.admit()) == []
    assert not machine.survey.is_asking
    assert machine.queue.reason("third") == "waiting: 1 gpu needed, 0 free"
    # A job that ends lets them be asked.
    machine.queue.remove("first")
    assert machine.admit() == {"third": ["GPU-a"]}


def test_a_driver_that_hangs_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GpuSurvey, "is_late", True)
    monkeypatch.setattr(GpuSurvey, "is_asking", False)
    machine.add("pod")
    assert list(machine.queue.admit()) == []
    assert machine.queue.reason("pod") == (
        "waiting: 1 gpu needed, 0 free; the driver of the GPUs does not answer"
    )


def test_a_gang_whose_first_job_needs_no_gpu_gets_none_of_others(
    machine: Machine,
) -> None:
    machine.holders = {"GPU-a": HOLDER}
    machine.queue.add("server", Resources(Decimal(1), 1), "gang")
    machine.queue.add("worker", ONE_GPU, "gang")
    assert machine.admit() == {"server": [], "worker": ["GPU-b"]}
    machine.queue.add("late.server", Resources(Decimal(1), 1), "late")
    machine.queue.add("late.worker", ONE_GPU, "late")
    assert machine.admit() == {}
    reason = machine.queue.reason("late.server")
    assert reason == f"waiting: 1 gpu needed, 0 free; {USE}"
