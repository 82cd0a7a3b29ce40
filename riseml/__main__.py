"""Entry point of `riseml` and `python -m riseml`."""

import gc
import sys

from riseml import cli


def main() -> int:
    """Run the command line and return its exit status."""
    # A short process gains nothing from collecting garbage among its imports, ...
    gc.set_threshold(100_000)
    try:
        return cli.main()
    finally:
        # ... nor at its exit.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
