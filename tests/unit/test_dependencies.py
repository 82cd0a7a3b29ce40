"""What `pip install riseml` brings along."""

from importlib.metadata import distribution

from packaging.requirements import Requirement

# Those that the six packages of the design need, psutil and nvidia-ml-py: see docs/decisions/0093.
MOST_PACKAGES = 31
MOST_BYTES = 45_000_000


def test_an_installation_is_small() -> None:
    names: set[str] = set()
    left = ["riseml"]
    while left:
        for text in distribution(left.pop()).requires or []:
            requirement = Requirement(text)
            is_needed = not requirement.marker or requirement.marker.evaluate(
                {"extra": ""}
            )
            if is_needed and requirement.name.lower() not in names:
                names.add(requirement.name.lower())
                left.append(requirement.name)
    assert len(names) <= MOST_PACKAGES, sorted(names)
    source_bytes = sum(
        file.size or 0
        for name in names
        for file in distribution(name).files or []
        if file.suffix != ".pyc"
    )
    assert source_bytes <= MOST_BYTES, source_bytes
