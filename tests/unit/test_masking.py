"""Masking of secrets in pieces of output."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest

from riseml import masking
from riseml.masking import Masker, forms

KEY = b"-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n}\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"


def masked(values: Iterable[bytes], *pieces: bytes) -> bytes:
    masker = Masker(forms(values))
    return b"".join([*map(masker.feed, pieces), masker.flush()])


@pytest.mark.parametrize(
    ("values", "pieces", "result"),
    [
        ([b"s3cret"], [b"a s3cret b\n"], b"a *** b\n"),
        ([b"s3cret"], [b"a s3c", b"ret b\n"], b"a *** b\n"),
        ([b"s3cret"], [b"s3crets3cret"], b"******"),
        ([b"s3cret"], [b"s3s3cres3cret"], b"s3s3cre***"),
        ([b"abc", b"abcdef"], [b"abc", b"def abc\n"], b"*** ***\n"),
        ([b"cdxyz", b"xyz", b"bcd"], [b"abcd", b"xy", b"z"], b"a***"),
        ([b"abcd", b"cdef"], [b"abcdef."], b"***."),
        ([b"aa"], [b"a", b"aaa", b"b"], b"***b"),
        ([b""], [b"nothing", b" to mask"], b"nothing to mask"),
        ([b"x" * 300], [b"x" * 200, b"x" * 200], b"***"),
        ([KEY], [KEY[:30], KEY[30:]], b"***\n"),
        ([KEY], [KEY.strip()], b"***"),
        ([KEY], [b"1: MIIEvQIBADANBgkq\n2: }\n"], b"1: ***\n2: }\n"),
        ([KEY], [json.dumps({"a": KEY.decode()}).encode()], b'{"a": "***\\n"}'),
        ([b"a/b c?d=e"], [b"u?k=" + quote("a/b c?d=e", safe="").encode()], b"u?k=***"),
    ],
)
def test_values_are_masked_in_any_pieces(
    values: list[bytes], pieces: list[bytes], result: bytes
) -> None:
    assert masked(values, *pieces) == result


@pytest.mark.parametrize("before", [b"", b"u", b"us", b"use", b"user:"])
@pytest.mark.parametrize("after", [b"", b"x", b"xy"])
def test_base64_of_a_text_that_contains_a_value_is_masked(
    before: bytes, after: bytes
) -> None:
    value = b"hunter2-hunter3?>"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + value + after)
        start, mask, end = masked([value], encoded).partition(b"***")
        assert mask
        assert encoded.startswith(start)
        assert encoded.endswith(end)
        # At both ends a character can share bits with what surrounds the value.
        assert len(encoded) - len(start) - len(end) >= len(value) * 8 // 6 - 2


def test_short_lines_and_values_have_no_other_forms() -> None:
    assert forms([b"1234567"]) == (b"1234567",)
    assert b"}" not in forms([KEY])


def test_all_ways_to_split_a_text_give_the_same_result() -> None:
    random = Random(7)
    for _ in range(300):
        values = [random.randbytes(random.randrange(1, 6)) for _ in range(3)]
        values = [bytes(byte % 3 + 97 for byte in value) for value in values]
        text = bytes(random.choices(b"abc\n", k=60))
        texts = forms(values)
        expected = masked(values, text)
        assert not any(value.strip() in expected for value in values if value.strip())
        masker, start, result = Masker(texts), 0, b""
        while start < len(text):
            end = start + random.randrange(1, 8)
            result += masker.feed(text[start:end])
            start = end
        assert result + masker.flush() == expected


def test_a_pause_shows_at_most_half_of_a_value() -> None:
    masker = Masker(forms([b"s3cr3t-v"]))
    assert masker.feed(b"is it s3c") == b"is it "
    assert masker.holds
    assert masker.flush() == b"s3c"
    assert not masker.holds
    assert masker.feed(b"r3t-v!") == b"***!"
    assert masker.feed(b" s3cr3") == b" "
    assert masker.flush() == b"***"
    assert masker.feed(b"t-v!") == b"!"
    shown = b""
    for byte in b"s3cr3t-v":
        shown += masker.feed(bytes((byte,))) + masker.flush()
    assert shown == b"s3cr***"
    assert masker.feed(b"s3 cr3t-v") == b"s3 cr3t-v"


def test_less_than_one_value_is_held_back() -> None:
    masker = Masker(forms([b"aa", b"abcdefgh"]))
    result = b""
    for _ in range(40):
        result += masker.feed(b"a" * 5000)
        assert len(masker._buffer) < 8
    assert result + masker.feed(b"b") + masker.flush() == b"***b"


def test_the_script_of_pods_masks_both_copies_and_shows_partial_lines(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    environment = {**os.environ, "RISEML_SECRETS": "A B", "A": "token-a", "B": "b\nc"}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", masking.__file__, str(log)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    process.stdin.write(b"a token-a\nprompt: tok")
    process.stdin.flush()
    end = time.monotonic() + 30
    while not log.exists() or log.read_bytes() != b"a ***\nprompt: tok":
        assert time.monotonic() < end
        time.sleep(0.01)
    output, _ = process.communicate(b"en-a\nb\nc\n")
    assert output == b"a ***\nprompt: tok***\n***\n" == log.read_bytes()
    assert process.returncode == 0
