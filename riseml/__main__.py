"""`riseml` and `python -m riseml`."""

import sys

from riseml.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
