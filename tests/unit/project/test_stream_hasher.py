"""Digest of a stream by a second thread."""

import os
import threading
from hashlib import sha1

import pytest

from riseml.project.stream_hasher import StreamHasher


def test_the_digest_has_all_bytes_in_their_order() -> None:
    pieces = [os.urandom(size) for size in range(1, 5000, 97)]
    digest = sha1(usedforsecurity=False)
    with StreamHasher(digest) as hasher:
        for piece in pieces:
            hasher.extend(piece)
    assert digest.digest() == sha1(b"".join(pieces)).digest()


def test_the_thread_ends_with_the_block() -> None:
    before = threading.active_count()
    with StreamHasher(sha1(usedforsecurity=False)):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with pytest.raises(KeyboardInterrupt):
        _interrupt()
    assert threading.active_count() == before


def _interrupt() -> None:
    with StreamHasher(sha1(usedforsecurity=False)) as hasher:
        hasher.extend(b"data")
        raise KeyboardInterrupt
