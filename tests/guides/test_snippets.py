"""Every riseml.yml in README and docs is accepted by the loader, apart from keys that a fragment leaves out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.riseml_yml import load_with_faults

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "examples").rglob("README.md"))
# test_guides.py follows these, with the extensions that they add.
GUIDES = sorted((ROOT / "docs/contributing").glob("add-*.md"))
_YAML = re.compile(r"^( *)```ya?ml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
# What a fragment may leave out.
_LEFT_OUT = re.compile(r"is missing|has no image of its own|a table can only be read")


def snippets() -> Iterator[tuple[str, str]]:
    """Yield the riseml.yml files of all pages with their positions."""
    for page in PAGES:
        if page in GUIDES:
            continue
        text = page.read_text("utf-8")
        for match in _YAML.finditer(text):
            if re.search(r"^(project|train):", match[2], re.MULTILINE):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{page.relative_to(ROOT)}:{line}", match[2]


SNIPPETS = dict(snippets())


def test_the_pages_have_snippets() -> None:
    names = [name.partition(":")[0] for name in SNIPPETS]
    assert names.count("README.md") >= 2


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_is_a_riseml_yml(name: str) -> None:
    _, faults = load_with_faults(SNIPPETS[name])
    wrong = [
        str(fault)
        for fault in faults
        if fault.severity == "error" and not _LEFT_OUT.search(fault.message)
    ]
    assert wrong == []


def test_a_key_in_the_wrong_place_is_noticed() -> None:
    _, faults = load_with_faults("framework: pytorch\ntrain: {run: x}\n")
    messages = [fault.message for fault in faults if fault.severity == "error"]
    assert any("framework" in message for message in messages)
