"""Names of the built-in plug-ins, read from the package's folder."""

from pathlib import Path

import riseml


def built_in(kind: str) -> tuple[str, ...]:
    """Return the names of the built-in frameworks or search strategies, sorted.

    Tests that spelled them out would fail as soon as somebody adds one. Each is a module,
    so the folder is a source that does not depend on the code under test.
    """
    folder = Path(riseml.__file__).parent / kind
    modules = {path.stem for path in folder.glob("[!_]*.py")}
    # This framework stands for none, and has no name for users.
    return tuple(sorted(modules - {"plain"}))
