"""JSON Schemas of what commands print with `-o json`, made from the types that they declare.

`python -m tests.golden.json_schemas` (`make schemas`) writes them to `riseml/schemas`.
"""

import ast
import inspect
import json
import pkgutil
import textwrap
from collections.abc import Mapping
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from riseml import cli
from riseml.cli.documents import Document

FOLDER = Path(cli.__file__).parent.parent / "schemas"
_SIMPLE: dict[object, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    object: {},
}


def documents() -> dict[str, Document]:
    """Return what commands declare, by the name of the schema."""
    declared: dict[str, Document] = {}
    for info in pkgutil.iter_modules(cli.__path__):
        module = import_module(f"riseml.cli.{info.name}")
        for key, document in getattr(module, "DOCUMENTS", {}).items():
            assert declared.setdefault(key, document) is document, (
                f"two documents {key}"
            )
    return declared


def schema(name: str, document: Document) -> dict[str, Any]:
    """Return the schema of a document."""
    definitions: dict[str, Any] = {}
    body = _schema(document.type, definitions)
    text: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://github.com/riseml/riseml/schemas/{name}-{document.version}.json",
        "title": f"riseml: {name}, version {document.version}",
        **body,
    }
    if definitions:
        text["$defs"] = dict(sorted(definitions.items()))
    return text


def to_text(schema: Mapping[str, Any]) -> str:
    """Return the content of the file of a schema."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    if is_typeddict(kind):
        return _record(kind, definitions)
    return _composed(get_origin(kind), get_args(kind), definitions)


def _composed(
    origin: Any, arguments: tuple[Any, ...], definitions: dict[str, Any]
) -> dict[str, Any]:
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1], definitions)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is dict:
        values = _schema(arguments[1], definitions)
        return {"type": "object", "additionalProperties": values or True}
    if origin in {Union, UnionType}:
        return _union(arguments, definitions)
    raise AssertionError(f"no schema for {origin} of {arguments}")


def _annotated(kind: Any, detail: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(detail, type) and issubclass(detail, Enum):
        return {"enum": [member.value for member in detail]}
    return {**_schema(kind, definitions), "format": detail}


def _union(kinds: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    schemas = [_schema(kind, definitions) for kind in kinds]
    if all(set(item) == {"type"} for item in schemas):
        return {"type": [item["type"] for item in schemas]}
    return {"anyOf": schemas}


def _record(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__.removesuffix("Record")
    if name not in definitions:
        # Records may contain themselves.
        definitions[name] = {}
        definitions[name] = _definition(kind, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _definition(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    descriptions = _descriptions(kind)
    properties = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) in {Required, NotRequired}:
            (hint,) = get_args(hint)  # noqa: PLW2901
        properties[name] = _schema(hint, definitions)
        if name in descriptions:
            properties[name]["description"] = descriptions[name]
    return {
        "description": inspect.cleandoc(kind.__doc__),
        "type": "object",
        "properties": properties,
        "required": sorted(kind.__required_keys__, key=list(properties).index),
        "additionalProperties": False,
    }


def _descriptions(kind: Any) -> dict[str, str]:
    """Return the docstrings of the fields of a record, also of inherited ones."""
    descriptions: dict[str, str] = {}
    # A TypedDict's own bases are only in `__orig_bases__`.
    for base in getattr(kind, "__orig_bases__", ()):
        if is_typeddict(base):
            descriptions |= _descriptions(base)
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    name = ""
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign):
            assert isinstance(statement.target, ast.Name)
            name = statement.target.id
        elif name and isinstance(statement, ast.Expr):
            assert isinstance(statement.value, ast.Constant)
            descriptions[name] = inspect.cleandoc(str(statement.value.value))
    return descriptions


def write() -> None:
    """Write the files of all schemas, and remove the others."""
    FOLDER.mkdir(exist_ok=True)
    published = documents()
    for path in FOLDER.glob("*.json"):
        if path.stem not in published:
            path.unlink()
    for name, document in published.items():
        path = FOLDER / f"{name}.json"
        path.write_text(to_text(schema(name, document)), "utf-8")


if __name__ == "__main__":
    write()
