"""Recorder: `python -m tests.comparison.record [FAMILY...]`, with Argo from KUBECONFIG.

Cases that have a recording of their end are not recorded again; to do that, remove it.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.comparison.case import Case
from tests.comparison.cases import FAMILIES
from tests.comparison.expressions import TABLES, Table
from tests.comparison.results import Result

if TYPE_CHECKING:
    from tests.comparison.argo import ArgoNamespace

FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "comparison"


def recorded(family: str) -> dict[str, Any]:
    """Return what Argo made of a family: results by case, or outcomes by expression."""
    path = FOLDER / f"{family}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def play(
    namespace: "ArgoNamespace", family: str, earlier: Mapping[str, Any]
) -> dict[str, Any]:
    """Run a family on Argo, except the cases that have ended `earlier`."""
    if family not in FAMILIES:
        return _play_expressions(namespace, TABLES[family])
    cases = FAMILIES[family]
    kept = {name: earlier[name] for name in cases if _has_ended(earlier.get(name))}
    missing = {name: cases[name] for name in cases if name not in kept}
    return {**kept, **namespace.run(missing)}


def _has_ended(result: Result | None) -> bool:
    return result is not None and result.get("phase") not in ("Running", "none")


def _play_expressions(namespace: "ArgoNamespace", table: Table) -> dict[str, Any]:
    cases = {f"e{i}": Case(table.document(text)) for i, text in enumerate(table.texts)}
    outcomes = map(table.outcome, namespace.run(cases).values())
    return dict(zip(table.texts, outcomes, strict=True))


def main(families: list[str]) -> None:
    """Record the named families, or all of them."""
    # Only a recorder needs the client of Kubernetes.
    from tests.comparison.argo import ArgoNamespace  # noqa: PLC0415

    namespace = ArgoNamespace("riseml-comparison-recorder")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for family in families or (*FAMILIES, *TABLES):
        path = FOLDER / f"{family}.json"
        earlier = recorded(family) if path.exists() else {}
        content = play(namespace, family, earlier)
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        sys.stderr.write(f"{family}: {len(content)}\n")
    if not families:
        namespace.leave()


if __name__ == "__main__":
    main(sys.argv[1:])
