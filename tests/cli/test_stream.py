"""Log lines on a terminal and in a file: chunks in, bytes out."""

import io
import re

import pytest

from riseml.cli.stream import Stream
from riseml.cli.terminal import Terminal
from riseml.engines import Change, Chunk

FILE = Terminal()
PLAIN = Terminal(interactive=True, width=40)
COLOUR = Terminal(interactive=True, colour=True, width=40)
ERASE = b"\r\x1b[K"
Events = list[Chunk | Change | tuple[str, bytes]]


def written(events: Events, terminal: Terminal = FILE, **options: object) -> bytes:
    out = io.BytesIO()
    stream = Stream(out, terminal, **options)  # type: ignore[arg-type]
    for event in events:
        if isinstance(event, Change):
            stream.change(event)
        else:
            stream.chunk(event if isinstance(event, Chunk) else Chunk(*event))
    stream.close()
    return out.getvalue()


TEXTS: dict[str, tuple[list[bytes], bytes]] = {
    "lines": ([b"a\nb\n"], b"1 | a\n1 | b\n"),
    "empty lines": ([b"\n\na\n"], b"1 | \n1 | \n1 | a\n"),
    "a line in two chunks": ([b"on", b"e\ntwo\n"], b"1 | one\n1 | two\n"),
    "no end": ([b"a\nb"], b"1 | a\n1 | b\n"),
    "bytes that are no text": ([b"\xff\x00\n"], b"1 | \xff\x00\n"),
    "windows line ends": ([b"a\r\nb\r\n"], b"1 | a\n1 | b\n"),
    "a line end cut in half": ([b"a\r", b"\nb\n"], b"1 | a\n1 | b\n"),
    "a bar shows its last state": ([b"1%\r50%\r", b"100%\n"], b"1 | 100%\n"),
    "a bar that begins with the return": ([b"\r1%\r2%\rdone\n"], b"1 | done\n"),
    "a bar without an end": ([b"1%\r2%\r"], b"1 | 2%\n"),
    "only returns": ([b"\r\r\r\n"], b"1 | \n"),
    "colours stay as they are": (
        [b"\x1b[31mred\n", b"still\x1b[0m\n"],
        b"1 | \x1b[31mred\n1 | still\x1b[0m\n",
    ),
    "nothing": ([b""], b""),
}


@pytest.mark.parametrize("name", TEXTS)
def test_in_a_file(name: str) -> None:
    chunks, expected = TEXTS[name]
    assert written([("1", data) for data in chunks]) == expected


@pytest.mark.parametrize("name", TEXTS)
def test_byte_by_byte_is_the_same(name: str) -> None:
    chunks, expected = TEXTS[name]
    assert (
        written([("1", bytes([byte])) for data in chunks for byte in data]) == expected
    )


def test_names_are_padded_to_the_longest_expected() -> None:
    assert written([("1.ps", b"a\n")], names=["1", "1.worker.2"]) == b"1.ps       | a\n"


def test_lines_without_a_prefix_are_unchanged() -> None:
    assert written([("1.train", b"a\n  b\r\n")], prefixed=False) == b"a\n  b\n"


@pytest.mark.parametrize("end", [b"\n", b"", b"end\nnext\n"])
def test_a_line_of_megabytes_stays_one_line_in_a_file(end: bytes) -> None:
    line = b"x" * (3 << 20)
    chunks: Events = [("1", line[:100_000]) for _ in range(31)]
    chunks += [("1", line[: (3 << 20) % 100_000]), ("1", end)]
    last = end or b"\n"
    assert written(chunks) == (b"1 | " + line + last).replace(b"\nnext", b"\n1 | next")
    assert written(chunks, prefixed=False) == line + last
    ended = [*chunks, Change("1", "FINISHED")]
    assert written(ended, prefixed=False).startswith(line + last + b"--> FINISHED")
    # A terminal shows the line in parts.
    assert written(chunks, PLAIN, prefixed=False).count(b"x\n") >= 2


def test_long_lines_of_jobs_do_not_mix() -> None:
    part = b"x" * 600_000
    chunks: Events = [
        ("1", part),
        ("2", b"a\n"),
        ("1", part),
        ("2", b"b\n"),
        ("1", b"\n"),
    ]
    assert written(chunks) == b"2 | a\n2 | b\n1 | " + part + part + b"\n"


def test_unfinished_lines_of_jobs_do_not_mix() -> None:
    events: Events = [("1", b"half"), ("2", b"whole\n"), ("1", b" and half\n")]
    assert written(events) == b"2 | whole\n1 | half and half\n"


def test_a_final_state_ends_the_line_of_its_job() -> None:
    events: Events = [
        Chunk("1", b"last words", partial=True),
        Change("1", "FAILED", reason="OOM", message="a\nb", exit_code=0),
    ]
    expected = b"1 | last words\n1 | --> FAILED\n1 | Reason: OOM\n1 | Message: a b\n1 | Exit Code: 0\n"
    assert written(events) == expected


def test_grep_matches_lines_without_colours_and_hides_states() -> None:
    events: Events = [
        ("1", b"a lo\x1b[1mss\x1b[0m\nother\n10%\rloss\n"),
        Change("1", "RUNNING"),
    ]
    assert (
        written(events, grep=re.compile(b"^a loss|^loss"))
        == b"1 | a lo\x1b[1mss\x1b[0m\n1 | loss\n"
    )


def test_an_endless_line_is_broken() -> None:
    piece = b"x" * 70_000
    out = written([("1", piece)] * 300)
    assert out.replace(b"\n", b"").replace(b"1 | ", b"") == piece * 300
    assert max(map(len, out.split(b"\n"))) < 17_000_000


def test_on_a_terminal_a_bar_is_redrawn_below_the_lines() -> None:
    events: Events = [
        ("1", b"10%\r"),
        ("1", b"20%\r"),
        ("2", b"a\n"),
        ("1", b"100%\n"),
    ]
    expected = [b"1 | 10%", b"1 | 20%", b"2 | a\n1 | 20%", b"1 | 100%\n"]
    assert written(events, PLAIN).split(ERASE) == expected


def test_on_a_terminal_an_unfinished_line_is_cut_to_the_width() -> None:
    assert (
        written([("1", b"\x1b[32m" + b"x" * 100)], PLAIN).split(ERASE)[0]
        == b"1 | " + b"x" * 34 + "…".encode()
    )


def test_the_colour_of_a_job_continues_only_in_its_next_line() -> None:
    out = written(
        [("1", b"\x1b[31mred\nstill\x1b[0m\nno more\n"), ("2", b"x\n")], COLOUR
    )
    first, second = b"\x1b[36m1 |\x1b[0m ", b"\x1b[33m2 |\x1b[0m "
    assert out == (
        first
        + b"\x1b[31mred\x1b[0m\n"
        + first
        + b"\x1b[31mstill\x1b[0m\x1b[0m\n"
        + first
        + b"no more\n"
        + second
        + b"x\n"
    )


def test_a_terminal_without_colours_shows_no_colours_of_jobs() -> None:
    assert written([("1", b"\x1b[31mred\x1b[0m\n")], PLAIN) == b"1 | red\n"
