"""Names that never belong to a snapshot, and names that Git refuses although they do.

Git checks out no `.git` in any spelling of its letters and no `.gitmodules` but a file. Such an entry is stored under
another name, beginning with `riseml~`, which a `move` line of the commit's message undoes at checkout.
"""

import stat

MARK = b"riseml~"
SUSPECT = frozenset(
    {
        b"rise",
        *(
            b"." + a + b + c
            for a in (b"g", b"G")
            for b in (b"i", b"I")
            for c in (b"t", b"T")
        ),
    }
)
"""The first four bytes of every name that the functions below treat specially; callers look here first."""


def is_hidden(name: bytes) -> bool:
    """Return whether a name is Git's own, or a configuration of RiseML."""
    return name == b".git" or (name.startswith(b"riseml") and name.endswith(b".yml"))


def stored(name: bytes, mode: int) -> bytes:
    """Return the name under which Git keeps an entry."""
    folded = name.lower()
    refused = (
        folded == b".git"
        or (folded == b".gitmodules" and not stat.S_ISREG(mode))
        or name.startswith(MARK)
    )
    if not refused:
        return name
    # Hardly any project has such a name
    from hashlib import sha1  # noqa: PLC0415

    return MARK + sha1(name, usedforsecurity=False).hexdigest().encode()
