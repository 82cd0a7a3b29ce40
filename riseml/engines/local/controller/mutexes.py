"""Mutexes over all runs of a home, granted in the order of the requests."""

from collections.abc import Iterable, Iterator

from riseml.dataclass import dataclass, field


@dataclass
class Mutexes:
    """The holder of each mutex, and the queue of pods that wait for some.

    A pod gets all of its mutexes together. It never holds a few while it waits for
    others, so two pods cannot block each other.
    """

    _holders: dict[str, str] = field(default_factory=dict)
    _waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def acquire(self, key: str, names: tuple[str, ...], *, held: bool = False) -> bool:
        """Take mutexes for a pod, or queue it; return whether it holds them now.

        `held` means that the pod held them before the controller restarted.
        """
        if not held and not self._are_free(names):
            self._waiting[key] = names
            return False
        self._holders.update(dict.fromkeys(names, key))
        return True

    def release(self, key: str) -> Iterator[str]:
        """Drop all mutexes and requests of a pod; yield the pods that obtain theirs."""
        self._waiting.pop(key, None)
        self._holders = {
            name: holder for name, holder in self._holders.items() if holder != key
        }
        for waiting, names in list(self._waiting.items()):
            if self._are_free(names):
                del self._waiting[waiting]
                self._holders.update(dict.fromkeys(names, waiting))
                yield waiting

    def _are_free(self, names: Iterable[str]) -> bool:
        return not any(name in self._holders for name in names)
