"""The cards that CUDA shows to this process, through the driver's own library: no framework is needed."""

import ctypes
import uuid

_NO_DEVICE = 100


class Driver:
    """CUDA's driver, with a context on its first card once one is opened."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")
        self.count = 0
        status = self._library.cuInit(0)
        if status == _NO_DEVICE:
            return
        _check(status)
        count = ctypes.c_int()
        self._call("cuDeviceGetCount", ctypes.byref(count))
        self.count = count.value

    def identifiers(self) -> list[str]:
        """Return the UUIDs of the cards, without prefixes."""
        texts = []
        for number in range(self.count):
            data = (ctypes.c_ubyte * 16)()
            self._call("cuDeviceGetUuid_v2", ctypes.byref(data), number)
            texts.append(str(uuid.UUID(bytes=bytes(data))))
        return texts

    def open(self) -> None:
        """Open a context on the first card."""
        context = ctypes.c_void_p()
        self._call("cuCtxCreate_v2", ctypes.byref(context), 0, 0)

    def memory(self) -> tuple[int, int]:
        """Return the free and the total memory in bytes."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def allocate(self, size: int) -> ctypes.c_uint64:
        """Return memory of some bytes."""
        pointer = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(size))
        return pointer

    def fill(self, pointer: ctypes.c_uint64, size: int) -> None:
        """Write all of some memory, and wait until that is done."""
        self._call("cuMemsetD8_v2", pointer, 1, ctypes.c_size_t(size))
        self._call("cuCtxSynchronize")

    def _call(self, name: str, *arguments: object) -> None:
        _check(getattr(self._library, name)(*arguments))


def _check(status: int) -> None:
    if status:
        raise SystemExit(f"CUDA error {status}")
