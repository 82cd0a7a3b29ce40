"""Normal form of a Workflow: what an API server makes of the JSON that it is given."""

import json
from collections.abc import Mapping
from typing import Any


def without_nulls(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without the fields that are null: they mean the same as none.

    Items of lists stay, even if they are null.
    """
    text = json.dumps(document)
    copy: dict[str, Any] = json.loads(text, object_hook=_without_null_fields)
    return copy


def _without_null_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
