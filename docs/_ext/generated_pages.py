"""Pages whose text is partly written by a function: `<!-- generated: NAME -->` is replaced when the site is built."""

import re
from collections.abc import Callable

import api_reference
import command_reference
import exit_code_reference
import key_reference
import message_reference
import settings_reference
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

PAGES: dict[str, Callable[[], str]] = {
    "commands": command_reference.markdown,
    "exit-codes": exit_code_reference.markdown,
    "messages": message_reference.markdown,
    "python-api": api_reference.markdown,
    "riseml-yml": key_reference.markdown,
    "settings": settings_reference.markdown,
}
"""Functions that return Markdown, by the names in the pages."""

_MARK = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)


def _fill(_app: Sphinx, _docname: str, source: list[str]) -> None:
    """Replace the marks of a page."""
    source[0] = _MARK.sub(lambda match: PAGES[match[1]](), source[0])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the replacement."""
    app.connect("source-read", _fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
