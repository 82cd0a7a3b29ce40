"""The distribution riseml-report: what it has in common with the distribution of RiseML."""

import ast
import tomllib
from pathlib import Path
from typing import Any

from riseml import templating

ROOT = Path(__file__).parents[3]
LIBRARY = templating.folder() / "library"


def _read(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def test_it_is_released_together_with_riseml() -> None:
    ours, main = _read(LIBRARY), _read(ROOT)
    assert set(ours["build-system"]["requires"]) < set(main["build-system"]["requires"])
    options = ours["tool"]["hatch"]["version"]
    assert options.pop("raw-options") == {"root": "../.."}
    assert options == main["tool"]["hatch"]["version"]
    assert "version" in ours["project"]["dynamic"]
    assert "version" in main["project"]["dynamic"]


def test_it_depends_on_nothing() -> None:
    project = _read(LIBRARY)["project"]
    assert "dependencies" not in project
    assert project["requires-python"] == ">=3.8"
    tree = ast.parse((LIBRARY / "riseml.py").read_text(), feature_version=(3, 8))
    imported = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    assert imported == {
        "errno",
        "fcntl",
        "json",
        "math",
        "os",
        "sys",
        "time",
    }


def test_it_has_the_license_of_riseml() -> None:
    assert (LIBRARY / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
