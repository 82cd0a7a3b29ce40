"""The log of one pod, read over connections that break."""

from hypothesis import given
from hypothesis import strategies as st

from riseml.engines.argo.pod_log import PodLog

LOG = b"".join(b"line %d\n" % number for number in range(20)) + b"no end"


@given(
    breaks=st.lists(st.integers(0, len(LOG)), max_size=6),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=10),
    show_partial_lines=st.booleans(),
)
def test_each_byte_is_delivered_once(
    breaks: list[int], sizes: list[int], *, show_partial_lines: bool
) -> None:
    log, delivered = PodLog("14.train", "pod"), b""
    for number, end in enumerate([*breaks, len(LOG)]):
        if number:
            log.restart()
        start, turn = 0, 0
        while start < end:
            size = sizes[turn % len(sizes)]
            delivered += log.lines(LOG[start : min(start + size, end)])
            if show_partial_lines:
                delivered += log.unfinished()
            start, turn = start + size, turn + 1
        if show_partial_lines:
            assert log.delivered == len(delivered)
    delivered += log.unfinished()
    assert delivered == LOG
    assert log.delivered == len(LOG)
