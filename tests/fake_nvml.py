"""A module in the place of pynvml, with the cards of a machine that has none."""

# ruff: noqa: N801, N802, N815, N818 -- the names are those of pynvml

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import TypeVar

import pytest

MIB = 1 << 20
Value = TypeVar("Value")


@dataclass
class Card:
    """A card, or a slice of one; an attribute that is None makes NVML refuse to answer."""

    uuid: str
    name: str = "NVIDIA H200"
    bus: str = "00000000:65:00.0"
    total: int = 1000 * MIB
    used: int = 0
    reserved: int = 0
    utilization: tuple[int, int] | None = (0, 0)
    milliwatts: int | None = None
    temperature: int | None = None
    computing: dict[int, int | None] = field(default_factory=dict)
    drawing: dict[int, int | None] = field(default_factory=dict)
    # pid, microseconds since 1970, percent of the SMs, percent of memory traffic
    samples: list[tuple[int, int, int, int]] = field(default_factory=list)
    # None: it cannot be sliced
    slices: list["Card"] | None = None
    mig: bool | None = None
    # The message of an error that every question about it raises
    fault: str = ""


class FakeNvml(ModuleType):
    """The functions and errors of pynvml that the product uses."""

    NVML_DEVICE_MIG_ENABLE = 1
    NVML_TEMPERATURE_GPU = 0
    nvmlMemory_v2 = 2

    class NVMLError(Exception):
        """Any error of NVML."""

    class NVMLError_NotSupported(NVMLError):
        """The card cannot answer."""

    class NVMLError_NotFound(NVMLError):
        """There is nothing to answer."""

    class NVMLError_FunctionNotFound(NVMLError):
        """The driver is older than the function."""

    def __init__(self, *cards: Card) -> None:
        super().__init__("pynvml")
        self.cards = list(cards)
        # The message of an error that the initialization raises
        self.fault = ""
        # Whether the driver lacks the newest versions of functions
        self.is_old = False
        self.sessions = 0
        self.initializations = 0

    def nvmlInit(self) -> None:
        if self.fault:
            raise self.NVMLError(self.fault)
        self.sessions += 1
        self.initializations += 1

    def nvmlShutdown(self) -> None:
        self.sessions -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return "550.54.15"

    def nvmlDeviceGetCount(self) -> int:
        assert self.sessions
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        card = self.cards[index]
        if card.fault:
            raise self.NVMLError(card.fault)
        return card

    def nvmlDeviceGetMigMode(self, card: Card) -> list[int]:
        mode = self._known(card.mig)
        return [int(mode), int(mode)]

    def nvmlDeviceGetMaxMigDeviceCount(self, card: Card) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card: Card, position: int) -> Card:
        slices = card.slices or []
        if position >= len(slices):
            raise self.NVMLError_NotFound("Not Found")
        return slices[position]

    def nvmlDeviceGetUUID(self, card: Card) -> str:
        return card.uuid

    def nvmlDeviceGetName(self, card: Card) -> str:
        return card.name

    def nvmlDeviceGetPciInfo(self, card: Card) -> SimpleNamespace:
        return SimpleNamespace(busId=card.bus)

    def nvmlDeviceGetMemoryInfo(
        self, card: Card, version: int | None = None
    ) -> SimpleNamespace:
        if version:
            self._require_new()
        used = card.used if version else card.used + card.reserved
        return SimpleNamespace(total=card.total, used=used)

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> SimpleNamespace:
        gpu, memory = self._known(card.utilization)
        return SimpleNamespace(gpu=gpu, memory=memory)

    def nvmlDeviceGetPowerUsage(self, card: Card) -> int:
        return self._known(card.milliwatts)

    def nvmlDeviceGetTemperature(self, card: Card, sensor: int) -> int:
        return self._known(card.temperature)

    def nvmlDeviceGetComputeRunningProcesses_v2(
        self, card: Card
    ) -> list[SimpleNamespace]:
        return _entries(card.computing)

    def nvmlDeviceGetComputeRunningProcesses_v3(
        self, card: Card
    ) -> list[SimpleNamespace]:
        self._require_new()
        return _entries(card.computing)

    def nvmlDeviceGetGraphicsRunningProcesses_v2(
        self, card: Card
    ) -> list[SimpleNamespace]:
        return _entries(card.drawing)

    def nvmlDeviceGetGraphicsRunningProcesses_v3(
        self, card: Card
    ) -> list[SimpleNamespace]:
        self._require_new()
        return _entries(card.drawing)

    def nvmlDeviceGetMPSComputeRunningProcesses_v2(
        self, card: Card
    ) -> list[SimpleNamespace]:
        raise self.NVMLError_NotSupported("Not Supported")

    def nvmlDeviceGetMPSComputeRunningProcesses_v3(
        self, card: Card
    ) -> list[SimpleNamespace]:
        raise self.NVMLError_NotSupported("Not Supported")

    def nvmlDeviceGetProcessUtilization(
        self, card: Card, since: int
    ) -> list[SimpleNamespace]:
        newer = [entry for entry in card.samples if entry[1] > since]
        if not newer:
            raise self.NVMLError_NotFound("Not Found")
        entries = [
            SimpleNamespace(pid=pid, timeStamp=time, smUtil=sm, memUtil=memory)
            for pid, time, sm, memory in newer
        ]
        # The driver's list is longer than what it contains.
        return [*entries, SimpleNamespace(pid=0, timeStamp=0, smUtil=0, memUtil=0)]

    def _require_new(self) -> None:
        if self.is_old:
            raise self.NVMLError_FunctionNotFound("Function Not Found")

    def _known(self, value: Value | None) -> Value:
        if value is None:
            raise self.NVMLError_NotSupported("Not Supported")
        return value


def install(monkeypatch: pytest.MonkeyPatch, *cards: Card) -> FakeNvml:
    """Put a fake module in the place of pynvml."""
    module = FakeNvml(*cards)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def _entries(memory: dict[int, int | None]) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in memory.items()
    ]
