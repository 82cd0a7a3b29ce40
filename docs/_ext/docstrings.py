"""Docstrings and types of the Python API: sections of Google's style, and references to public names.

A signature names a class by the module that defines it, and the reference by its public name:
`riseml.client.types.RunHandle` is `riseml.RunHandle` there.
"""

import re
from typing import Any

import api_reference
from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

import riseml

_NO_PYTHON = re.compile(r"=<[^<>]*>")
_RAISES = re.compile(r"^(\w+(?:, \w+)*): (.*)$")


def _convert(_app: Sphinx, _what: str, _name: str, _obj: Any, *rest: Any) -> None:
    """Turn the section `Raises:` of a docstring into fields."""
    lines: list[str] = rest[-1]
    if "Raises:" not in lines:
        return
    start = lines.index("Raises:")
    fields = []
    for line in lines[start + 1 :]:
        match = _RAISES.match(line.strip())
        if match:
            fields.append(f":raises {match[1].replace(', ', ' | ')}: {match[2]}")
        elif line.strip():
            fields.append(f"    {line.strip()}")
    lines[start:] = ["", *fields]


def _simplify(*arguments: Any) -> tuple[str | None, str | None]:
    """Return a signature without defaults that are not Python, such as `<factory>`."""
    *_, signature, annotation = arguments
    if signature is None:
        return None, annotation
    return _NO_PYTHON.sub("=...", signature), annotation


def _resolve(
    _app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """Resolve a reference to a class of RiseML, and show those of other packages as text."""
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    address = _addresses().get(target.rpartition(".")[2])
    if address:
        domain = env.domains.python_domain
        builder = _app.builder
        reference: Element | None = domain.resolve_xref(
            env,
            node["refdoc"],
            builder,
            node["reftype"],
            address,
            node,
            content,
        )
        return reference
    # A class of RiseML that has no entry fails the strict build.
    return None if target.startswith("riseml.") else content


def _addresses() -> dict[str, str]:
    """Return the names under which the reference documents classes."""
    public = {name: f"riseml.{name}" for name in riseml.__all__}
    further = {name.rpartition(".")[2]: name for name in api_reference.FURTHER}
    return {**further, **public}


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register both conversions."""
    app.connect("autodoc-process-docstring", _convert)
    app.connect("autodoc-process-signature", _simplify)
    app.connect("missing-reference", _resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
