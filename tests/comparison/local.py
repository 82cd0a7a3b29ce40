"""Cases on the local engine: one home runs all of them at once."""

import copy
import time
from collections.abc import Mapping

from riseml.engines.local.engine import LocalEngine
from riseml.errors import RiseMLError
from riseml.ids import Id
from tests.comparison import results
from tests.comparison.case import Case, Data
from tests.comparison.results import Result

_PATIENCE_SECONDS = 60.0


def run(engine: LocalEngine, cases: Mapping[str, Case]) -> dict[str, Result]:
    """Run Workflows to their ends; return the result of each by its name."""
    ended: dict[str, Result] = {}
    numbers: dict[str, int] = {}
    for name, case in cases.items():
        body = copy.deepcopy(case.document)
        if isinstance(body.get("metadata"), dict):
            body["metadata"].setdefault("name", name)
        try:
            submitted = engine.submit(body)
        except RiseMLError as error:
            ended[name] = results.refusal(str(error))
        else:
            row = engine.reader.store().named(submitted)
            assert row is not None
            numbers[name] = row["number"]
    limit = time.monotonic() + _PATIENCE_SECONDS
    for name in filter(lambda name: cases[name].stop, numbers):
        _stop(engine, Id(number=numbers[name]))
    for name, number in numbers.items():
        for _ in engine.changes(Id(number=number)):
            assert time.monotonic() < limit, f"{name} does not end"
        ended[name] = results.of_document(engine.get(Id(number=number)))
    return {name: ended[name] for name in cases}


def _stop(engine: LocalEngine, run: Id) -> None:
    limit = time.monotonic() + _PATIENCE_SECONDS
    while not any(map(_is_running_pod, _nodes(engine, run))):
        assert time.monotonic() < limit, f"no pod of {run} runs"
        time.sleep(0.05)
    # A shell that has just started has not set its traps.
    time.sleep(1)
    engine.stop(run)


def _nodes(engine: LocalEngine, run: Id) -> list[Data]:
    return list(engine.get(run)["status"].get("nodes", {}).values())


def _is_running_pod(node: Data) -> bool:
    return bool(node["type"] == "Pod" and node["phase"] == "Running")
