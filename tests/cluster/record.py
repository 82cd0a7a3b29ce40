"""Record what a real Argo makes of the scenarios: `python -m tests.cluster.record [NAME ...]`, cluster from KUBECONFIG.

A recording holds the Workflow as it was at the end, its status at the moments that were noted before, the outcomes
that `status.read` must give for each of them, and the final phase of every node in each repetition.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from riseml import status
from tests.cluster.scenarios import SCENARIOS, Outcome, Scenario
from tests.cluster.user_namespace import Place

Complaint = Callable[[str, Outcome, Outcome], None]
FOLDER = Path(__file__).parent.parent / "fixtures" / "argo"
_LONG = 400  # characters of a script that are kept: neither status nor the interpreter looks further
_WIDTH = 150
_UNTOLD = (
    "uid",
    "resourceVersion",
    "managedFields",
    "generation",
    "selfLink",
    "namespace",
)
_TRACES = "workflows.argoproj.io/trace-id"


def outcome(document: Mapping[str, Any]) -> Outcome:
    """Return what `status.read` says of a document."""
    run = status.read(document)
    jobs = tuple(f"{job.type} {_line(job)}" for job in run.jobs)
    first = run.experiments[0].jobs
    members = tuple(map(_line, first)) if len(first) > 1 else ()
    return Outcome(run.state.value, tuple(map(_line, run.experiments)), jobs, members)


def _line(told: status.ExperimentStatus | status.JobStatus) -> str:
    # How a peer ended is chance: by itself, or because its pod was deleted.
    code = (
        "" if told.exit_code is None or told.reason == "PEER" else str(told.exit_code)
    )
    guilty = (getattr(told, "guilty", None) or "").removeprefix(f"{told.id}.")
    if guilty.startswith(told.id.partition(".")[0]):
        guilty = guilty.rpartition(".")[2]  # a job of the run itself
    return " ".join(filter(None, (told.state.value, told.reason, code, guilty)))


def sanitised(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without what belongs to one cluster only, and with long scripts cut."""
    copy: dict[str, Any] = _cut(json.loads(json.dumps(document)))
    metadata = copy["metadata"]
    for key in _UNTOLD:
        metadata.pop(key, None)
    metadata.get("annotations", {}).pop(_TRACES, None)
    for node in copy.get("status", {}).get("nodes", {}).values():
        for key in ("hostNodeName", "podIP"):
            node.pop(key, None)
    return copy


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, str) and len(value) > _LONG:
        return value[:_LONG] + f"\n# and {len(value) - _LONG} characters more"
    return value


def phases(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the phase of every node by its name below the Workflow's."""
    name = document["metadata"]["name"]
    nodes = document.get("status", {}).get("nodes", {}).values()
    return {
        node["name"].removeprefix(name).lstrip("."): node["phase"] for node in nodes
    }


def complain(what: str, wanted: Outcome, found: Outcome) -> None:
    """Tell that an outcome is another one than was wanted."""
    sys.stderr.write(f"{what}: wanted {wanted}\n{' ' * len(what)}   found {found}\n")


def play(
    place: Place, scenario: Scenario, number: int, complain: Complaint = complain
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run a scenario; return its document at the end, and what was noted on the way."""
    notes: list[dict[str, Any]] = []

    def check(what: str, wanted: Outcome, document: Mapping[str, Any]) -> None:
        if (found := outcome(document)) != wanted:
            complain(what, wanted, found)

    scenario.before(place)
    run = place.submit(scenario.document(number, place.revision))

    def note(moment: str, wanted: Outcome) -> None:
        document = run.document()
        told = {key: document[key] for key in ("metadata", "status")}
        shutdown = document["spec"].get("shutdown")
        notes.append(
            {
                "moment": moment,
                "expect": _told(wanted),
                "shutdown": shutdown,
                **sanitised(told),
            }
        )
        check(f"{run.name} {moment}", wanted, document)

    scenario.act(place, run, note)
    run.until_ended()
    document = run.document()
    check(run.name, scenario.outcome, document)
    return document, notes


def _told(wanted: Outcome) -> dict[str, Any]:
    told = {
        "state": wanted.state,
        "experiments": list(wanted.experiments),
        "jobs": list(wanted.jobs),
    }
    return {**told, "members": list(wanted.members)} if wanted.members else told


def record(place: Place, name: str, number: int) -> None:
    """Run a scenario as often as it wants and write its recording."""
    scenario = SCENARIOS[name]
    document, notes = play(place, scenario, number)
    seen = [phases(document)]
    seen += [
        phases(play(place, scenario, number + i)[0]) for i in range(1, scenario.repeats)
    ]
    recording = {
        "scenario": name,
        "expect": _told(scenario.outcome),
        "notes": notes,
        "phases": seen,
        "document": sanitised(document),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(laid_out(recording) + "\n", encoding="utf-8")


def laid_out(value: Any, margin: str = "") -> str:
    """Return JSON with sorted keys in which whatever fits stands on one line."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(margin) + len(line) <= _WIDTH or not isinstance(value, dict | list):
        return line
    inner = margin + " "
    if isinstance(value, dict):
        parts = [
            f"{inner}{json.dumps(key)}: {laid_out(value[key], inner)}"
            for key in sorted(value)
        ]
        return "{\n" + ",\n".join(parts) + f"\n{margin}}}"
    return (
        "[\n"
        + ",\n".join(inner + laid_out(item, inner) for item in value)
        + f"\n{margin}]"
    )


def main(names: list[str]) -> None:
    """Record the named scenarios, or all."""
    place = Place()
    for i, name in enumerate(SCENARIOS):
        if not names or name in names:
            sys.stderr.write(f"{name}\n")
            record(place, name, 10 * (i + 1))


if __name__ == "__main__":
    main(sys.argv[1:])
