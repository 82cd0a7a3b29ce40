"""Wait on an iterator without being stuck in it."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def ticking(
    items: Iterator[T], seconds: float | Callable[[], float]
) -> Iterator[T | None]:
    """Yield what `items` yields, and None whenever nothing has come for `seconds` (a function is asked each time).

    The iterator is read by a thread of its own, which does not keep the process alive. Its errors come out here.
    """
    from queue import Empty, SimpleQueue
    from threading import Thread

    queue: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    Thread(
        target=_pump, args=(items, queue.put), daemon=True, name="riseml-ticking"
    ).start()
    while True:
        try:
            kind, item = queue.get(
                timeout=max(seconds() if callable(seconds) else seconds, 0.0)
            )
        except Empty:
            yield None
            continue
        if kind == "error":
            raise item
        if kind == "end":
            return
        yield item


def _pump(items: Iterator[T], put: Any) -> None:
    try:
        for item in items:
            put(("item", item))
    except BaseException as error:  # noqa: BLE001
        # Raised again where the items are read
        put(("error", error))
    else:
        put(("end", None))
