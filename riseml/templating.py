"""Texts below `templates/`: shell and Python that run inside jobs, and texts that Jinja renders.

A wheel contains the folder inside the package, a checkout beside it.
"""

from functools import cache
from pathlib import Path
from typing import Any

BASH = "bash.sh"
"""First argument of `sh -c` in all jobs: it replaces the shell by bash, if there is one."""
FUNCTIONS = "# Functions of the run script.\n"
"""First line of the third argument of `sh -c` in jobs; in older documents, the commands follow the second one."""

_PACKAGE = Path(__file__).resolve().parent


@cache
def folder() -> Path:
    """Return the folder of the templates."""
    in_wheel = _PACKAGE / "templates"
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / "templates"


@cache
def read(name: str) -> str:
    """Return the text of a template as it is."""
    return (folder() / name).read_text("utf-8")


def render(name: str, **values: Any) -> str:
    """Render a Jinja template; a missing value is an error."""
    # Few documents need them, and they take long to load.
    import json  # noqa: PLC0415

    import jinja2  # noqa: PLC0415

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # The results are Dockerfiles and shell, never HTML.
        autoescape=False,  # noqa: S701
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(read(name)).render(values)


def render_page(name: str, **values: Any) -> str:
    """Render a Jinja template of an HTML page, in which values are escaped."""
    import jinja2  # noqa: PLC0415

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    return environment.from_string(read(name)).render(values)
