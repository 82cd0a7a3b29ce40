"""The umask of this process, read without a change to it where the system allows that."""

import os

_PRIVATE = 0o077


def current() -> int:
    """Return the umask."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123 -- jobs start without pathlib
            for line in file:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        # This system has no such file.
        pass
    # No other way reads the mask without setting it, which other threads notice.
    mask = os.umask(_PRIVATE)
    os.umask(mask)
    return mask
