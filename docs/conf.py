"""Configuration of the documentation site; `make docs` builds it."""

import sys
from pathlib import Path

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE.parent), str(_HERE / "_ext")]

import riseml  # noqa: E402

project = "RiseML"
author = "The RiseML authors"
project_copyright = author
version = release = riseml.__version__

extensions = [
    "sphinx.ext.autodoc",
    "myst_parser",
    "docstrings",
    "generated_pages",
    "repository_links",
]
exclude_patterns = ["_build", "_ext", "_static"]
root_doc = "index"

# Links such as `page.md#a-heading` work as on a code host.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]

nitpicky = True
# Prompts, and output with symbols, are not valid shell: it is shown without colors.
suppress_warnings = ["misc.highlighting_failure"]
# No page fetches anything: no fonts, no scripts, no inventories of other sites.
html_theme = "furo"
html_title = "RiseML"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "source_repository": "https://github.com/riseml/riseml/",
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": [],
}

# Docstrings have Markdown's backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
