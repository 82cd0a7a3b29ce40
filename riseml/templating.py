"""The texts below `templates/`: shell and Python that run inside jobs, and what is rendered with Jinja.

A wheel carries the folder inside the package, a checkout beside it.
"""

from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent


@cache
def folder() -> Path:
    """Return the folder that holds the templates."""
    shipped = _PACKAGE / "templates"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "templates"


@cache
def read(name: str) -> str:
    """Return the text of a template as it is."""
    return (folder() / name).read_text("utf-8")


def render(name: str, **values: Any) -> str:
    """Fill in a Jinja template; a value that it names and does not get is an error."""
    # Both are needed for few documents, and not cheap to load
    import json  # noqa: PLC0415

    import jinja2  # noqa: PLC0415

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # The results are Dockerfiles and shell, never HTML
        autoescape=False,  # noqa: S701
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(read(name)).render(values)
