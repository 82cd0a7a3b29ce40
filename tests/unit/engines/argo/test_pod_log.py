"""The log of one pod, read over connections that break."""

from datetime import UTC, datetime

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
            for lines in log.lines(LOG[start : min(start + size, end)]):
                delivered += lines.data
            if show_partial_lines:
                delivered += log.unfinished().data
            start, turn = start + size, turn + 1
        if show_partial_lines:
            assert log.delivered == len(delivered)
    delivered += log.unfinished().data
    assert delivered == LOG
    assert log.delivered == len(LOG)


def stamped(log: bytes) -> bytes:
    """Return a log as Kubernetes writes it with times: line N was written at second N."""
    lines = []
    for number, line in enumerate(log.split(b"\n")):
        lines.append(b"2026-01-01T00:00:%02d.123456789Z %s" % (number, line))
    return b"\n".join(lines)


@given(
    breaks=st.lists(st.integers(0, len(stamped(LOG))), max_size=6),
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=10),
)
def test_each_line_is_delivered_once_with_its_time(
    breaks: list[int], sizes: list[int]
) -> None:
    text = stamped(LOG)
    log, delivered = PodLog("14.train", "pod", is_timed=True), []
    for number, end in enumerate([*breaks, len(text)]):
        if number:
            log.restart()
        start, turn = 0, 0
        while start < end:
            size = sizes[turn % len(sizes)]
            delivered += log.lines(text[start : min(start + size, end)])
            start, turn = start + size, turn + 1
    delivered.append(log.unfinished())
    assert b"".join(lines.data for lines in delivered) == LOG
    assert log.delivered == len(LOG)
    for number, lines in enumerate(delivered):
        assert lines.time == datetime(2026, 1, 1, 0, 0, number, 123456, UTC)


def test_lines_of_one_millisecond_stay_together() -> None:
    log = PodLog("14.train", "pod", is_timed=True)
    text = b"".join(
        b"2026-01-01T00:00:00.%s+01:00 %s\n" % (fraction, line)
        for fraction, line in [
            (b"123000001", b"one"),
            (b"123999999", b"two"),
            (b"124000000", b"argo: three"),
        ]
    )
    executor = (
        b'2026-01-01T00:00:01.000000000+01:00 time=x level=info msg="x" argo=true\n'
    )
    lines = log.lines(text + executor)
    assert [line.data for line in lines] == [b"one\ntwo\n", b"argo: three\n"]
    times = [line.time.astimezone(UTC).isoformat() for line in lines if line.time]
    assert times == [
        "2025-12-31T23:00:00.123000+00:00",
        "2025-12-31T23:00:00.124000+00:00",
    ]


def test_a_line_without_a_time_is_not_an_error() -> None:
    log = PodLog("14.train", "pod", is_timed=True)
    (lines,) = log.lines(b"failed to get the log\n")
    assert lines.time is None
