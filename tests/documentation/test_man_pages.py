"""Man pages in docs/man: as the commands declare them, and one for each."""

import subprocess
import sys
from pathlib import Path

import command_reference
import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs" / "man"
GENERATOR = ROOT / "docs" / "_ext" / "man_pages.py"


@pytest.mark.timeout(300)
def test_pages_are_what_the_commands_declare(tmp_path: Path) -> None:
    subprocess.run([sys.executable, GENERATOR, tmp_path / "man"], check=True)
    written = {page.name: page.read_text("utf-8") for page in tmp_path.glob("man/*")}
    committed = {page.name: page.read_text("utf-8") for page in PAGES.iterdir()}
    assert committed == written, "`make man` writes them"


def test_each_command_has_a_page() -> None:
    for entry in command_reference.entries():
        if entry.words == ("submit",):
            # Another name of `riseml train`
            continue
        text = (PAGES / f"{'-'.join(('riseml', *entry.words))}.1").read_text("utf-8")
        plain = text.replace("\\fP", "").replace("\\fB", "").replace("\\fI", "")
        plain = plain.replace("\\-", "-")
        assert f"\n{entry.name}" in plain
        for parameter in entry.parameters.values():
            for spelling in parameter.spellings:
                assert spelling.split("/")[0].strip() in plain, entry.name


def test_choices_have_no_backslashes() -> None:
    # A table of the site needs them.
    pages = [page.read_text("utf-8") for page in PAGES.iterdir()]
    assert any("\\fBset|list|delete\\fP" in text for text in pages)
    assert not any("\\e|" in text for text in pages)


def test_examples_come_before_the_description() -> None:
    text = (PAGES / "riseml-results.1").read_text("utf-8")
    examples, description = text.index("EXAMPLES"), text.index("DESCRIPTION")
    assert text.index("SYNOPSIS") < examples < description
