"""Runner for one module of this package: `python -I -S bare.py MODULE [ARGUMENT...]`.

It does not import the packages above the module, so that the small processes beside
the jobs start in 15 ms.
"""

import os.path
import sys
from importlib import import_module


def main() -> None:
    """Run `main()` of the module that the first argument names."""
    directory = os.path.dirname(os.path.abspath(__file__))
    # Empty packages stand in for the real ones, whose __init__ modules load much more.
    for name in (
        "riseml.engines.local.jobs",
        "riseml.engines.local",
        "riseml.engines",
        "riseml",
    ):
        package = type(sys)(name)
        package.__path__ = [directory]
        sys.modules[name] = package
        directory = os.path.dirname(directory)
    import_module(f"riseml.engines.local.jobs.{sys.argv.pop(1)}").main()


if __name__ == "__main__":
    main()
