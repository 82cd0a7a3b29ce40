"""Search for lines in blocks: the same lines as one by one, found at once for common patterns."""

import re
import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from riseml.cli.line_search import LineSearch

BLOCK = b"epoch 1 loss 0.5\n\nepoch 2 loss 0.25 \nWARNING: low\n loss\nend of epoch\n"


def one_by_one(pattern: re.Pattern[bytes], block: bytes) -> list[bytes]:
    lines = block.removesuffix(b"\n").split(b"\n")
    return [line + b"\n" for line in lines if pattern.search(line)]


FOUND: dict[str, list[int]] = {
    "loss": [0, 2, 4],
    "^epoch": [0, 2],
    "epoch$": [5],
    "^$": [1],
    "": [0, 1, 2, 3, 4, 5],
    r"loss\s": [0, 2],
    r"\s$": [2],
    r"[^x]loss": [0, 2, 4],
    r"^[^\s]*$": [1],
    r"\D\d\D*\d$": [0],
    r"\d\W*$": [0, 2],
    r"(?i)warning|END": [3, 5],
    r"(?<=loss )\d": [0, 2],
    r"loss(?! 0)": [4],
    r"(?:\w+ )++0": [0, 2],
    r"0\.[0-4]": [2],
    r"\bend\b": [5],
    r"[\w.-]+ $": [2],
}


@pytest.mark.parametrize("text", FOUND)
def test_a_common_pattern_finds_its_lines_at_once(text: str) -> None:
    search = LineSearch(re.compile(text.encode()))
    lines = BLOCK.splitlines(keepends=True)
    assert search.lines(BLOCK) == [lines[number] for number in FOUND[text]]
    assert search.is_fast


UNUSUAL = (
    r"\Aepoch",
    r"epoch\Z",
    r"\Blo",
    "(?s)e.l",
    r"[\n]",
    "loss\n",
    r"\x0a",
    r"[^]x]\d",
    r"(a)?(?(1)b|e)",
)


@pytest.mark.parametrize("text", UNUSUAL)
def test_an_unusual_pattern_searches_each_line(text: str) -> None:
    pattern = re.compile(text.encode())
    search = LineSearch(pattern)
    assert search.lines(BLOCK) == one_by_one(pattern, BLOCK)
    assert not search.is_fast


def test_a_block_may_have_one_line() -> None:
    search = LineSearch(re.compile(b"a"))
    assert search.lines(b"\n") == []
    assert search.lines(b"a\n") == [b"a\n"]


SINGLE = "ab1 .^$|+*?{}]-\té"
ESCAPES = (r"\s", r"\S", r"\d", r"\D", r"\w", r"\W", r"\b", r"\B", r"\n", r"\.")
CLASSES = ("[^a]", "[a-c1]", r"[^\s1]", "[^-]", "[^a-]", r"[\w-]", r"[\]-]")
GROUPS = ("(a|b)", "(?:1)", "(?=a)", "(?!b)", "(?<=a)", "{1,2}")
PIECES = st.sampled_from([*SINGLE, *ESCAPES, *CLASSES, *GROUPS])


# Repetitions of repetitions are not what this is about.
@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(
    text=st.lists(PIECES, max_size=6).map("".join),
    block=st.text("ab1 -.\n\té", max_size=40),
)
@example(text="$", block="\n\na")
@example(text="[^a]*", block=string.whitespace.replace("\r", ""))
def test_every_pattern_finds_the_same_lines(text: str, block: str) -> None:
    try:
        pattern = re.compile(text.encode())
    except re.error:
        assume(False)
    data = f"{block}\n".encode()
    assert LineSearch(pattern).lines(data) == one_by_one(pattern, data)
