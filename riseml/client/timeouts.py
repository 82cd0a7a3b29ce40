"""Iteration with a timeout: a caller stays responsive while nothing comes."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def ticking(
    items: Iterator[T], seconds: float | Callable[[], float]
) -> Iterator[T | None]:
    """Yield what `items` yields, and None whenever nothing has come for some seconds.

    A function for `seconds` is called before each wait. A thread reads `items`; it does
    not keep the process alive. An error of `items` is raised here.
    """
    from queue import Empty, SimpleQueue
    from threading import Thread

    # The queue has no limit, so the thread never waits for a reader that has stopped.
    queue: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    Thread(
        target=_pump, args=(items, queue.put), daemon=True, name="riseml-ticking"
    ).start()
    while True:
        timeout = seconds() if callable(seconds) else seconds
        try:
            kind, item = queue.get(timeout=max(timeout, 0.0))
        except Empty:
            yield None
            continue
        if kind == "error":
            raise item
        if kind == "end":
            return
        yield item


def _pump(items: Iterator[T], put: Callable[[tuple[str, Any]], None]) -> None:
    try:
        for item in items:
            put(("item", item))
    except BaseException as error:  # noqa: BLE001
        # The reader of the queue raises it again.
        put(("error", error))
    else:
        put(("end", None))
