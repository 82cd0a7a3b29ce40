"""Memory of a controller: it is returned to the system after the end of a large set.

Python and the C library keep what they have freed for themselves, and a controller lives
for days. After a set of 10,000 experiments that is 60 MB.
"""

import gc
from typing import Final

from riseml.engines.local.jobs import mount_calls

LARGE_SET: Final = 200
"""Number of experiments from which on the memory of a set is worth the 30 ms."""


def release() -> None:
    """Return memory that nothing uses to the system."""
    # A run and its pods refer to each other.
    gc.collect()
    # Only glibc has it.
    trim = getattr(mount_calls.libc(), "malloc_trim", None)
    if trim is not None:
        trim(0)
