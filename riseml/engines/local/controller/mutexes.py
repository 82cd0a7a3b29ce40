"""Mutexes over all runs of a home: whoever asks first is served first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass
class Locks:
    """Who holds which mutex, and who waits; a pod has all of its locks or none."""

    _holders: dict[str, str] = field(default_factory=dict)
    _waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def acquire(self, key: str, locks: tuple[str, ...], *, held: bool = False) -> bool:
        """Take locks or queue for them; `held` says that they were the pod's before a restart."""
        if not held and not self._free(locks):
            self._waiting[key] = locks
            return False
        self._holders.update(dict.fromkeys(locks, key))
        return True

    def release(self, key: str) -> Iterator[str]:
        """Give back what a pod has or waits for, and yield the pods that have their locks now."""
        self._waiting.pop(key, None)
        self._holders = {
            lock: holder for lock, holder in self._holders.items() if holder != key
        }
        for waiting, locks in list(self._waiting.items()):
            if self._free(locks):
                del self._waiting[waiting]
                self._holders.update(dict.fromkeys(locks, waiting))
                yield waiting

    def _free(self, locks: Iterable[str]) -> bool:
        return not any(lock in self._holders for lock in locks)
