"""Watcher of idle GPUs: the window, the cards and processes that count, and its two sources."""

import ctypes
import json
import os
import random
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from riseml import templating
from tests.gpu_programs import CARD, FakeCard

Use = tuple[float, float]


def load() -> ModuleType:
    module = ModuleType("idle")
    path = templating.folder() / "idle.py"
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module


@pytest.fixture
def idle() -> ModuleType:
    return load()


def idle_seconds(module: ModuleType, seconds: float, uses: Sequence[Use]) -> float:
    """Return the idle time after a sample every 5 seconds."""
    window = module.Window(seconds)
    for use in uses:
        window.add(5.0, use)
    result: float = window.idle
    return result


def longest_idle_end(uses: Sequence[Use]) -> float:
    """Return the same by definition: the longest end of which each beginning is below 2 percent on average."""
    for first in range(len(uses)):
        end = uses[first:]
        averages = [
            sum(use[signal] for use in end[:count]) / count
            for count in range(1, len(end) + 1)
            for signal in (0, 1)
        ]
        if max(averages) < 2:
            return 5.0 * len(end)
    return 0.0


@pytest.mark.parametrize(
    ("uses", "seconds"),
    [
        ([], 0),
        ([(0, 0)] * 180, 900),
        ([(1.9, 1.9)] * 180, 900),
        # Either of both is use.
        ([(2, 0)] * 180, 0),
        ([(0, 2)] * 180, 0),
        ([(100, 50)] * 100 + [(0, 0)] * 60, 300),
        # A burst of 5 seconds in 15 minutes is 0.55 percent.
        ([(0, 0)] * 90 + [(100, 100)] + [(0, 0)] * 89, 900),
        # Of 20 seconds, it is 2.2 percent.
        ([(0, 0)] * 90 + [(100, 100)] * 4 + [(0, 0)] * 86, 430),
        # The work of a step every minute.
        (([(0, 0)] * 11 + [(60, 40)]) * 15, 0),
    ],
)
def test_time_is_idle_while_its_average_is_below_two_percent(
    idle: ModuleType, uses: list[Use], seconds: float
) -> None:
    assert idle_seconds(idle, 900, uses) == seconds


def test_the_idle_time_is_the_longest_one_with_a_low_average(idle: ModuleType) -> None:
    levels = [(0.0, 0.0), (3.0, 0.0), (0.0, 9.0)]
    for uses in product(levels, repeat=6):
        # A long window keeps all that has been measured.
        assert idle_seconds(idle, 1e9, uses) == longest_idle_end(uses), uses


def test_the_idle_time_of_random_uses_follows_the_definition(idle: ModuleType) -> None:
    numbers = random.Random(7)
    for _ in range(300):
        uses = [
            (numbers.choice((0.0, 0.0, 0.5, 1.9, 7.0)), numbers.choice((0.0, 4.0)))
            for _ in range(30)
        ]
        assert idle_seconds(idle, 1e9, uses) == longest_idle_end(uses), uses


def test_a_long_idle_time_does_not_hide_later_use(idle: ModuleType) -> None:
    window = idle.Window(900)
    for _ in range(12 * 60 * 24):
        window.add(5.0, (0, 0))
    assert (window.is_over, window.idle) == (True, 86_400)
    # 2 percent of 15 minutes are 18 seconds.
    for _ in range(3):
        window.add(5.0, (100, 0))
    assert window.is_over
    window.add(5.0, (100, 0))
    assert (window.is_over, window.idle) == (False, 0)


@pytest.mark.parametrize(
    ("timeout", "mark"), [(0, 900), (7200, 900), (1800, 900), (600, 300), (4, 2)]
)
def test_a_job_is_marked_after_15_minutes_or_half_of_its_timeout(
    idle: ModuleType, timeout: float, mark: float
) -> None:
    assert idle.Watch(timeout).mark.seconds == mark
    assert (idle.Watch(timeout).end is None) == (timeout == 0)


def test_what_is_not_known_is_not_idle(idle: ModuleType) -> None:
    watch = idle.Watch(0)
    for _ in range(1000):
        watch.add(5.0, None)
    assert (watch.idle, watch.mark.is_over) == (0, False)


def test_a_driver_that_fails_for_a_moment_does_not_count_and_for_long_begins_anew(
    idle: ModuleType,
) -> None:
    watch = idle.Watch(3600)
    watch.add(1000.0, (0, 0))
    watch.add(500.0, None)
    watch.add(100.0, (0, 0))
    assert (watch.idle, watch.mark.is_over, watch.end.idle) == (1100, True, 1100)
    watch.add(500.0, None)
    watch.add(500.0, None)
    assert (watch.idle, watch.end.idle) == (0, 0)


class FakeSource:
    """Cards with fixed uses, by number."""

    def __init__(
        self,
        cards: Mapping[str, Use | None],
        processes: Mapping[str, Mapping[int, Use]] | None = None,
        sliced: Sequence[str] = (),
    ) -> None:
        self._cards, self._processes, self._sliced = cards, processes, sliced

    def cards(self, names: Sequence[str] | None) -> list[str]:
        return sorted(self._cards) if names is None else list(names)

    def is_sliced(self, card: str) -> bool:
        return card in self._sliced

    def of_processes(self, card: str) -> Mapping[int, Use] | None:
        return None if self._processes is None else self._processes.get(card, {})

    def of_card(self, card: str) -> Use | None:
        return self._cards[card]


BUSY = {"0": (67.0, 30.0)}


@pytest.mark.parametrize(
    ("source", "is_shared", "own", "use"),
    [
        # Only the job's own processes count, also on a card of its own.
        (FakeSource(BUSY, {"0": {7: (67, 30)}}), False, {8}, (0, 0)),
        (FakeSource(BUSY, {"0": {7: (60, 3), 8: (5, 1)}}), True, {8}, (5, 1)),
        (FakeSource(BUSY, {"0": {8: (5, 1), 9: (3, 2)}}), True, {8, 9}, (8, 3)),
        (FakeSource(BUSY, {"0": {8: (80, 1), 9: (90, 2)}}), True, {8, 9}, (100, 3)),
        # A driver that names no process at all.
        (FakeSource(BUSY, {"0": {}}), False, {8}, (67, 30)),
        (FakeSource(BUSY, {"0": {}}), True, {8}, None),
        (FakeSource({"0": (1, 0)}, {"0": {}}), True, {8}, (1, 0)),
        # In a container pids mean nothing, so the card counts, unless it is shared.
        (FakeSource(BUSY, {"0": {7: (67, 30)}}), False, None, (67, 30)),
        (FakeSource(BUSY, {"0": {7: (67, 30)}}), True, None, None),
        # A card that nobody uses is not used by this job.
        (FakeSource({"0": (1.5, 0)}), True, None, (1.5, 0)),
        # WSL2 does not count by process.
        (FakeSource(BUSY), False, {8}, (67, 30)),
        (FakeSource(BUSY), True, {8}, None),
        # Slices are not counted at all.
        (FakeSource(BUSY, {"0": {}}, ["0"]), False, {8}, None),
        (FakeSource({}), False, None, None),
        # The card that is used most counts.
        (FakeSource({"0": (0, 0), "1": (9, 1)}), False, None, (9, 1)),
        # A card that cannot be measured may be in use.
        (FakeSource({"0": (0, 0), "1": None}), False, None, None),
        (FakeSource({"0": (4, 0), "1": None}), False, None, (4, 0)),
    ],
)
def test_the_use_of_a_job(
    idle: ModuleType,
    source: FakeSource,
    is_shared: bool,
    own: set[int] | None,
    use: Use | None,
) -> None:
    is_own = own.__contains__ if own is not None else None
    assert idle.Meter(source, None, is_shared, is_own).read() == use


def test_a_driver_that_names_processes_is_believed_after_their_end(
    idle: ModuleType,
) -> None:
    """NVML says 67 percent of the card for a while, and nothing of its processes."""
    processes: dict[str, dict[int, Use]] = {"0": {8: (67, 30)}}
    meter = idle.Meter(FakeSource(BUSY, processes), None, False, {8}.__contains__)
    assert meter.read() == (67, 30)
    processes["0"] = {}
    assert meter.read() == (0, 0)


def test_the_server_of_mps_computes_for_others(
    idle: ModuleType, tmp_path: Path
) -> None:
    for pid, name in {1: "nvidia-cuda-mps\n", 2: "python\n"}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "comm").write_text(name)
    pids = [pid for pid in (1, 2, 3) if idle.is_proxy(pid, str(tmp_path))]
    assert pids == [1]


def test_the_processes_of_a_job_have_its_key(idle: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "self" / "ns").mkdir(parents=True)
    namespace = tmp_path / "self" / "ns" / "pid"
    namespace.symlink_to("pid:[4026531836]")
    for pid, entry in {1: "a:1:x", 2: "a:1:xy", 3: "b:1:x"}.items():
        (tmp_path / str(pid)).mkdir()
        environ = f"PATH=/bin\0RISEML_JOB_KEY={entry}\0HOME=/\0"
        (tmp_path / str(pid) / "environ").write_text(environ)
    is_own = idle.own_pids({"RISEML_JOB_KEY": "a:1:x"}, str(tmp_path))
    assert [pid for pid in (1, 2, 3, 4) if is_own(pid)] == [1]
    assert idle.own_pids({}, str(tmp_path)) is None
    namespace.unlink()
    namespace.symlink_to("pid:[4026532279]")
    assert idle.own_pids({"RISEML_JOB_KEY": "a:1:x"}, str(tmp_path)) is None


@pytest.mark.parametrize(
    ("environment", "cards"),
    [
        ({"RISEML_LOGGED": "1", "CUDA_VISIBLE_DEVICES": "GPU-1, 2"}, ["GPU-1", "2"]),
        # A job with AMD's cards only.
        ({"RISEML_LOGGED": "1", "CUDA_VISIBLE_DEVICES": ""}, []),
        # A pod has the cards that its container runtime lets it see.
        ({"CUDA_VISIBLE_DEVICES": "0"}, None),
        ({}, None),
    ],
)
def test_the_cards_of_a_job(
    idle: ModuleType, environment: dict[str, str], cards: list[str] | None
) -> None:
    assert idle.visible_cards(environment) == cards


class FakeLibrary:
    """NVML with one card; the samples of its buffer are those after `last`."""

    def __init__(self, idle: ModuleType) -> None:
        self._idle = idle
        self.processes: list[tuple[int, int, int, int]] = []
        self.card: list[tuple[int, int]] = []
        self.mig = 3

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 1
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:  # noqa: N802
        handle._obj.value = 100 + index.value
        return 0 if index.value == 0 else 2

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:  # noqa: N802
        handle._obj.value = 100
        return 0 if uuid == CARD.encode() else 6

    def nvmlDeviceGetMigMode(self, _: Any, current: Any, __: Any) -> int:  # noqa: N802
        current._obj.value = 1
        return self.mig

    def nvmlDeviceIsMigDeviceHandle(self, _: Any, is_slice: Any) -> int:  # noqa: N802
        is_slice._obj.value = 0
        return 0

    def nvmlDeviceGetProcessUtilization(  # noqa: N802
        self, _: Any, array: Any, count: Any, last: Any
    ) -> int:
        new = [sample for sample in self.processes if sample[1] > last.value]
        return self._write(new, array, count, self._process)

    def nvmlDeviceGetSamples(  # noqa: N802
        self, _: Any, __: Any, last: Any, ___: Any, count: Any, array: Any
    ) -> int:
        new = [sample for sample in self.card if sample[0] > last.value]
        return self._write(new, array, count, self._sample)

    def nvmlDeviceGetUtilizationRates(self, _: Any, rates: Any) -> int:  # noqa: N802
        rates[0], rates[1] = 12, 5
        return 0

    def _write(self, values: list[Any], array: Any, count: Any, convert: Any) -> int:
        if not values:
            return 6
        has_room = array is not None and count._obj.value >= len(values)
        count._obj.value = len(values)
        if not has_room:
            return 7
        for index, value in enumerate(values):
            array[index] = convert(*value)
        return 0

    def _process(self, pid: int, time: int, sm: int, memory: int) -> Any:
        return self._idle._ProcessSample(pid, time, sm, memory, 0, 0)

    def _sample(self, time: int, value: int) -> Any:
        return self._idle._Sample(time, self._idle._Value(integer=value))


@pytest.fixture
def library(idle: ModuleType, monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    library = FakeLibrary(idle)
    fake = SimpleNamespace(**{**vars(ctypes), "CDLL": lambda _: library})
    monkeypatch.setitem(idle.__dict__, "ctypes", fake)
    return library


def test_nvml_counts_each_sample_of_a_process_once(
    idle: ModuleType, library: FakeLibrary
) -> None:
    nvml = idle.Nvml()
    (card,) = nvml.cards(None)
    assert nvml.of_processes(card) == {}
    library.processes = [(7, 10, 40, 6), (7, 11, 20, 2), (8, 11, 9, 0), (0, 0, 0, 0)]
    assert nvml.of_processes(card) == {7: (30, 4), 8: (9, 0)}
    # They stay in the buffer after the process has ended.
    assert nvml.of_processes(card) == {}
    library.processes.append((8, 12, 3, 1))
    assert nvml.of_processes(card) == {8: (3, 1)}


def test_nvml_averages_all_samples_of_a_card(
    idle: ModuleType, library: FakeLibrary
) -> None:
    nvml = idle.Nvml()
    (card,) = nvml.cards([CARD])
    # Without samples, there is the use of the past second.
    assert nvml.of_card(card) == (12, 5)
    library.card = [(10, 0), (11, 0), (12, 30)]
    assert nvml.of_card(card) == (10, 10)
    library.card.append((13, 4))
    assert nvml.of_card(card) == (4, 4)


def test_nvml_knows_sliced_cards_and_refuses_unknown_ones(
    idle: ModuleType, library: FakeLibrary
) -> None:
    nvml = idle.Nvml()
    (card,) = nvml.cards(["0"])
    assert not nvml.is_sliced(card)
    library.mig = 0
    assert nvml.is_sliced(card)
    for name in ("1", "GPU-other"):
        with pytest.raises(OSError, match="there is no card"):
            nvml.cards([name])


def test_the_program_nvidia_smi_is_asked_where_the_library_cannot_be_loaded(
    idle: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi = FakeCard(tmp_path, os.environ["PATH"])
    monkeypatch.setenv("PATH", smi.path)
    monkeypatch.setattr(idle.Nvml, "__init__", _missing)
    smi.set(67, 30, pid_7="40 6", pid_8="- -")
    source = idle.source()
    assert type(source).__name__ == "Program"
    for names in (None, ["0"], [CARD], ["GPU-00000000"]):
        assert source.cards(names) == ["0"]
    assert source.of_processes("0") == {7: (40, 6), 8: (0, 0)}
    assert source.of_card("0") == (67, 30)
    assert not source.is_sliced("0")
    with pytest.raises(OSError, match="there is no card 5"):
        source.cards(["5"])


def _missing(_: object) -> None:
    raise OSError


def test_without_a_driver_nothing_is_measured(
    idle: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(idle.Nvml, "__init__", _missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert idle.source() is None


def test_the_file_of_an_idle_job_is_removed_once_it_works(
    idle: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / ".riseml").mkdir()
    environment = {
        "OUTPUT_DIR": str(tmp_path),
        "RISEML_JOB": "worker.2",
        "RISEML_DIR": str(tmp_path),
    }
    report, watch = idle.Report({**environment, "RISEML_ATTEMPT": "1"}), idle.Watch(0)
    file = tmp_path / ".riseml" / "idle.worker.2.1"
    watch.add(899.0, (0, 0))
    report.update(watch, 0.0)
    assert not file.exists()
    watch.add(1.0, (0, 0))
    report.update(watch, 1.0)
    assert json.loads(file.read_text()) == {"idle": 900}
    watch.add(20.0, (0, 0))
    report.update(watch, 21.0)
    assert json.loads(file.read_text()) == {"idle": 900}
    watch.add(20.0, (0, 0))
    report.update(watch, 41.0)
    assert json.loads(file.read_text()) == {"idle": 940}
    watch.add(60.0, (100, 0))
    report.update(watch, 101.0)
    assert not file.exists()
    report.update(watch, 102.0)


def test_a_suspended_machine_and_a_clock_that_is_set_count_nothing(
    idle: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The watcher sleeps for a second at most, whatever its clock says afterwards."""
    clock, signals = [0.0], []
    times = iter([1.0, 1.0, 5000.0, 1.0, 1.0])

    def sleep(_: float) -> None:
        clock[0] += next(times)

    monkeypatch.setitem(idle.__dict__, "_clock", lambda: clock[0])
    fake_time = SimpleNamespace(sleep=sleep, time=time.time)
    monkeypatch.setitem(idle.__dict__, "time", fake_time)
    parents = iter([1, 1, 1, 1, 1, 1, 0])
    processes = SimpleNamespace(
        environ={
            "RISEML_GPU_IDLE": "60 whole",
            "OUTPUT_DIR": str(tmp_path),
            "RISEML_DIR": str(tmp_path),
            "RISEML_JOB": "train",
        },
        getppid=lambda: next(parents),
        kill=lambda *words: signals.append(words),
        readlink=os.readlink,
        unlink=os.unlink,
        rename=os.rename,
    )
    monkeypatch.setitem(idle.__dict__, "os", processes)
    monkeypatch.setitem(idle.__dict__, "source", lambda: FakeSource({"0": (0, 0)}))
    idle.main()
    assert signals == []
