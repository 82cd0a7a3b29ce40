"""NVML: NVIDIA's library that knows the cards, their use, and the processes on them.

The module `pynvml` of nvidia-ml-py calls it. A session is opened for each question: a
driver that was updated or failed is then noticed, and none is kept from being unloaded.
Sessions may be nested, so a caller that asks often opens one around its questions.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import TypeVar

from riseml.dataclass import dataclass, field
from riseml.gpus.gpu import NVIDIA, Gpu
from riseml.gpus.system import DriverError, pci_address

T = TypeVar("T")


@dataclass(frozen=True)
class Device:
    """A GPU with NVML's handle for it; `card` is the handle of the card of a slice."""

    gpu: Gpu
    handle: object
    card: object


@dataclass
class Session:
    """An open NVML; `problems` says which cards it cannot describe."""

    api: ModuleType
    problems: list[str] = field(default_factory=list)

    def devices(self) -> list[Device]:
        """Return the cards, and the slices of those with MIG, in the order of nvidia-smi.

        Raises:
            DriverError: NVML cannot list them.
        """
        devices: list[Device] = []
        try:
            count: int = self.api.nvmlDeviceGetCount()
        except self.api.NVMLError as error:
            raise DriverError(f"NVML: {error}") from None
        for index in range(count):
            try:
                devices += self._devices_of(index)
            except self.api.NVMLError as error:
                self.problems.append(f"GPU {index}: {error}")
        return devices

    def driver(self) -> str:
        """Return the version of the driver; "" if it is unknown."""
        version = self.value(self.api.nvmlSystemGetDriverVersion)
        return _text(version) if version else ""

    def value(self, function: Callable[..., T], *arguments: object) -> T | None:
        """Return what a function of NVML returns; None if the card cannot answer it."""
        with suppress(self.api.NVMLError):
            return function(*arguments)
        return None

    def listed(
        self, function: Callable[..., Sequence[T]], *arguments: object
    ) -> Sequence[T]:
        """Return a list of NVML; to have no entries is an error of some functions."""
        return self.value(function, *arguments) or ()

    def _devices_of(self, index: int) -> list[Device]:
        card = self.api.nvmlDeviceGetHandleByIndex(index)
        if not self._has_mig(card):
            return [self._device(index, card, card)]
        devices = []
        for position in range(self.api.nvmlDeviceGetMaxMigDeviceCount(card)):
            # Only some of the possible slices exist.
            with suppress(self.api.NVMLError_NotFound):
                handle = self.api.nvmlDeviceGetMigDeviceHandleByIndex(card, position)
                devices.append(self._device(index, handle, card))
        if not devices:
            self.problems.append(
                f"GPU {index} has MIG enabled and no slices: make some with `nvidia-smi mig -cgi PROFILE -C`"
            )
        return devices

    def _has_mig(self, card: object) -> bool:
        # Cards that cannot be sliced do not answer.
        mode = self.value(self.api.nvmlDeviceGetMigMode, card)
        return mode is not None and mode[0] == self.api.NVML_DEVICE_MIG_ENABLE

    def _device(self, index: int, handle: object, card: object) -> Device:
        name = self.value(self.api.nvmlDeviceGetName, handle)
        memory = self.value(self.api.nvmlDeviceGetMemoryInfo, handle)
        gpu = Gpu(
            id=_text(self.api.nvmlDeviceGetUUID(handle)),
            index=index,
            name=_text(name) if name else "",
            vendor=NVIDIA,
            mem=int(memory.total) if memory else 0,
            bus=pci_address(_text(self.api.nvmlDeviceGetPciInfo(card).busId)),
        )
        return Device(gpu, handle, card)


@contextmanager
def opened() -> Iterator[Session]:
    """Open NVML.

    Raises:
        DriverError: there is no library, or it does not fit to the driver.
    """
    try:
        api = importlib.import_module("pynvml")
    except ImportError as error:
        raise DriverError(f"nvidia-ml-py: {error}") from None
    try:
        api.nvmlInit()
    except api.NVMLError as error:
        raise DriverError(f"NVML: {error}") from None
    try:
        yield Session(api)
    finally:
        with suppress(api.NVMLError):
            api.nvmlShutdown()


def _text(value: str | bytes) -> str:
    # Versions before 12 return bytes.
    return value.decode() if isinstance(value, bytes) else str(value)
