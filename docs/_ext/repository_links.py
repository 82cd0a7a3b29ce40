"""Links from pages to files of the repository outside `docs`, which work on a code host and on the site.

A page links `../../argo/values.yml`, as readers of the repository need it. The site has no such file, so the
link becomes the address of the file on the code host. A file that does not exist fails the strict build.
"""

import os
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

CODE_HOST = "https://github.com/riseml/riseml/blob/main"

_LINK = re.compile(r"\]\((\.\./[^)#\s]*)(#[^)\s]*)?\)")
_LOGGER = logging.getLogger(__name__)


def _rewrite(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the relative links of a page that leave the folder of the site."""
    site = Path(app.srcdir)
    page = site / f"{docname}.md"

    def replace(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(page.parent / match[1]))
        if target.is_relative_to(site):
            return match[0]
        if not target.exists():
            _LOGGER.warning("there is no file %s", match[1], location=docname)
        path = target.relative_to(site.parent).as_posix()
        return f"]({CODE_HOST}/{path}{match[2] or ''})"

    source[0] = _LINK.sub(replace, source[0])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the rewriting of links."""
    app.connect("source-read", _rewrite)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
