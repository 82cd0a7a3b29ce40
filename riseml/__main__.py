"""`riseml` and `python -m riseml`."""

import gc
import sys

from riseml import cli


def main() -> int:
    """Run the command line; a short process searches for no garbage, neither among imports nor at its end."""
    gc.set_threshold(100_000)
    try:
        return cli.main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
