"""The page of a report: one file that loads nothing and sends nothing."""

import json
import sys
from datetime import datetime
from importlib import resources

from riseml import templating
from riseml.errors import RiseMLError
from riseml.report.content import Content

MARK = '<meta name="generator" content="RiseML">'
"""Text near the start of every page, by which a page is recognized."""

TEMPLATE = "report.html.j2"


def render(content: Content, now: datetime) -> str:
    """Return the page.

    Raises:
        RiseMLError: Plotly is not installed.
    """
    data = {"figures": content.figures, "curves": content.curves}
    # A script ends at the first `</`, wherever it is.
    script = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return templating.render_page(
        TEMPLATE,
        content=content,
        written=now.astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        mark=MARK,
        data=script,
        plotly=_plotly(),
    )


def _plotly() -> str:
    """Return Plotly's JavaScript."""
    try:
        folder = resources.files("plotly")
    except ModuleNotFoundError:
        raise RiseMLError(
            "a report needs Plotly, which is not installed",
            "Install it beside RiseML: `uv tool install 'riseml2[report]'`,"
            " `pipx install --force 'riseml2[report]'`,"
            f" or `{sys.executable} -m pip install 'riseml2[report]'`.",
        ) from None
    return (folder / "package_data" / "plotly.min.js").read_text("utf-8")
