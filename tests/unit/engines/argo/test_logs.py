"""Following a pod's log over connections that break."""

from hypothesis import given
from hypothesis import strategies as st

from riseml.engines.argo.logs import _Reader

LOG = b"".join(b"line %d\n" % number for number in range(20)) + b"no end"


@given(
    breaks=st.lists(st.integers(0, len(LOG)), max_size=6),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=10),
    glance=st.booleans(),
)
def test_nothing_is_told_twice_or_lost(
    breaks: list[int], sizes: list[int], *, glance: bool
) -> None:
    reader, told = _Reader("14.train", "pod"), b""
    for number, end in enumerate([*breaks, len(LOG)]):
        if number:
            reader.begin_again()
        start, turn = 0, 0
        while start < end:
            size = sizes[turn % len(sizes)]
            told += reader.lines(LOG[start : min(start + size, end)])
            if glance:
                told += reader.unfinished()
            start, turn = start + size, turn + 1
    told += reader.unfinished()
    assert told == LOG
