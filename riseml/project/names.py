"""Names that never belong to a snapshot, and names that Git refuses although they do.

Git checks out no `.git`, in any case of its letters, and no `.gitmodules` that is not a file.
Such an entry is stored under another name that begins with `riseml~`. A `move` line of the
commit's message restores its name at checkout.
"""

import stat
from itertools import product

MARK = b"riseml~"
SUSPECT = frozenset(
    {b"rise", *(b"." + bytes(letters) for letters in product(b"gG", b"iI", b"tT"))}
)
"""The first four bytes of every name that the functions below treat specially.

Callers look here first, which is quicker than a call.
"""


def is_hidden(name: bytes) -> bool:
    """Return whether a name is Git's own, or a configuration of RiseML."""
    return name == b".git" or (name.startswith(b"riseml") and name.endswith(b".yml"))


def stored(name: bytes, mode: int) -> bytes:
    """Return the name under which Git keeps an entry."""
    if not _is_refused(name, mode):
        return name
    # Hardly any project has such a name.
    from hashlib import sha1  # noqa: PLC0415

    return MARK + sha1(name, usedforsecurity=False).hexdigest().encode()


def _is_refused(name: bytes, mode: int) -> bool:
    lower = name.lower()
    if lower == b".gitmodules":
        return not stat.S_ISREG(mode)
    # A name with the mark has to stay distinct from those that replace refused names.
    return lower == b".git" or name.startswith(MARK)
