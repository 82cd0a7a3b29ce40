"""What `pip install riseml2` brings along."""

import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

# Those that the six packages of the design need, psutil and nvidia-ml-py: see docs/decisions/0093.
MOST_PACKAGES = 31
MOST_BYTES = 45_000_000


def test_an_installation_is_small() -> None:
    # A test may run in a checkout that nobody has installed.
    file = Path(__file__).parents[2] / "pyproject.toml"
    left = [*tomllib.loads(file.read_text())["project"]["dependencies"]]
    names: set[str] = set()
    while left:
        requirement = Requirement(left.pop())
        name = requirement.name.lower()
        marker = requirement.marker
        if name not in names and (not marker or marker.evaluate({"extra": ""})):
            names.add(name)
            left.extend(distribution(name).requires or [])
    assert len(names) <= MOST_PACKAGES, sorted(names)
    source_bytes = sum(
        file.size or 0
        for name in names
        for file in distribution(name).files or []
        if file.suffix != ".pyc"
    )
    assert source_bytes <= MOST_BYTES, source_bytes
