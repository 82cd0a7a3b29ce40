"""Survey of who uses the GPUs, in a thread."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence

import pytest

from riseml.engines.local.controller import gpu_survey
from riseml.engines.local.controller.gpu_survey import GpuSurvey, ask_drivers
from riseml.engines.local.controller.loop import EventLoop
from riseml.gpus import Gpu
from riseml.gpus.holders import Holder
from tests.fake_nvml import Card, install

GPU = Gpu("GPU-1", 0)
HOLDER = Holder(GPU, 7, "python3", "ida", 900_000_000)
PATIENCE_SECONDS = 60.0


class Driver:
    """A driver that answers what it is told, and notes which GPUs jobs had."""

    def __init__(self) -> None:
        self.answer: Mapping[str, Holder] = {}
        self.assigned: list[Collection[str]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(
        self, gpus: Sequence[Gpu], assigned: Collection[str]
    ) -> Mapping[str, Holder]:
        assert gpus == (GPU,)
        self.assigned.append(assigned)
        assert self.may_answer.wait(PATIENCE_SECONDS)
        return self.answer


def run_until_current(survey: GpuSurvey, loop: EventLoop) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while survey.is_asking:
        assert time.monotonic() < deadline
        loop.run_once(deadline)


def test_the_drivers_are_asked_again_when_the_answer_is_old() -> None:
    driver, loop = Driver(), EventLoop()
    survey = GpuSurvey(driver, loop)
    assert not survey.is_current
    survey.refresh((GPU,), ["GPU-1"])
    assert survey.is_asking
    run_until_current(survey, loop)
    assert survey.is_current
    assert survey.holders == {}
    survey.refresh((GPU,), ["GPU-2"])
    assert driver.assigned == [frozenset({"GPU-1"})]
    survey.invalidate()
    assert not survey.is_current
    driver.answer = {GPU.id: HOLDER}
    survey.refresh((GPU,), ["GPU-2"])
    run_until_current(survey, loop)
    assert survey.holders == {GPU.id: HOLDER}
    assert driver.assigned[-1] == frozenset({"GPU-2"})


def test_an_answer_is_not_current_if_a_job_released_a_gpu_meanwhile() -> None:
    driver, loop = Driver(), EventLoop()
    driver.may_answer.clear()
    survey = GpuSurvey(driver, loop)
    survey.refresh((GPU,), ())
    survey.invalidate()
    driver.may_answer.set()
    run_until_current(survey, loop)
    assert not survey.is_current


def test_a_driver_that_hangs_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_survey, "_LATE_SECONDS", 0.0)
    driver, loop = Driver(), EventLoop()
    driver.may_answer.clear()
    survey = GpuSurvey(driver, loop)
    survey.refresh((GPU,), ())
    time.sleep(0.01)
    assert survey.is_late
    assert not survey.is_asking
    # It is asked only once.
    survey.refresh((GPU,), ())
    driver.may_answer.set()
    loop.run_once(time.monotonic() + PATIENCE_SECONDS)
    assert not survey.is_late
    assert len(driver.assigned) == 1


def test_without_an_answer_all_gpus_are_free() -> None:
    def fail(_: Sequence[Gpu], assigned: Collection[str]) -> Mapping[str, Holder]:
        raise ValueError

    loop = EventLoop()
    survey = GpuSurvey(fail, loop)
    survey.refresh((GPU,), ())
    run_until_current(survey, loop)
    assert survey.is_current
    assert survey.holders == {}


def test_the_drivers_name_the_programs_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, Card(GPU.id, computing={1 << 22: 5_000_000}))
    ask = ask_drivers("home")
    assert ask((GPU,), []) == {GPU.id: Holder(GPU, 1 << 22, mem=5_000_000)}
    # The pid is not of this container, and a job has the card.
    assert ask((GPU,), [GPU.id]) == {}
