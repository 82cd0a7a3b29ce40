"""Run a module of this package without importing the package: `python -I -S bare.py MODULE [ARGUMENT...]`.

The small processes beside the jobs start in 15 ms so, and know nothing of the packages above them.
"""

import os.path
import sys
from importlib import import_module


def main() -> None:
    """Run `main()` of the module that the first argument names."""
    place = os.path.dirname(os.path.abspath(__file__))
    for name in (
        "riseml.engines.local.jobs",
        "riseml.engines.local",
        "riseml.engines",
        "riseml",
    ):
        package = sys.modules[name] = type(sys)(name)
        package.__path__ = [place]
        place = os.path.dirname(place)
    import_module(f"riseml.engines.local.jobs.{sys.argv.pop(1)}").main()


if __name__ == "__main__":
    main()
