"""Hook of an environment whose install steps could not run in /code: it is copied there, and runs as Python starts.

`pip install -e` makes packages refer to the folder in which the step ran, <env>/built.
The hook lets them refer to RISEML_CODE_DIR, where the job has the code of its own revision.
"""

from __future__ import annotations

import os
import sys

# Every Python of the environment runs this, so it loads nothing that is not loaded anyway.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def main() -> None:
    """Change the paths on which this Python finds modules."""
    code = os.environ.get("RISEML_CODE_DIR")
    if not code:
        return
    built = os.path.join(sys.prefix, "built")

    def moved(path: str) -> str:
        is_built = f"{path}/".startswith(f"{built}/")
        return code + path[len(built) :] if is_built else path

    sys.path[:] = map(moved, sys.path)
    # setuptools installs a module that maps names of packages to folders.
    for name in list(sys.modules):
        if name.startswith("__editable__"):
            _move_packages(vars(sys.modules[name]), moved)


def _move_packages(module: dict[str, Any], moved: Callable[[str], str]) -> None:
    packages: dict[str, str] = module.get("MAPPING", {})
    packages.update(zip(packages, map(moved, packages.values()), strict=True))
    for paths in module.get("NAMESPACES", {}).values():
        paths[:] = map(moved, paths)


main()
