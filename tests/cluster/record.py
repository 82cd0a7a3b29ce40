"""Recorder of scenarios on a real Argo: `python -m tests.cluster.record [NAME ...]`, cluster from KUBECONFIG.

A recording has the Workflow at its end, its status at the moments that were noted before, the outcome that
`status.read` must return for each of them, and the final phase of every node in each repetition.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from riseml import status
from tests.cluster.scenarios import SCENARIOS, Outcome, Scenario
from tests.cluster.user_namespace import WorkflowNamespace

Complaint = Callable[[str, Outcome, Outcome], None]
FOLDER = Path(__file__).parent.parent / "fixtures" / "argo"
# Neither status nor the interpreter reads scripts beyond this length.
_MAX_TEXT_LENGTH = 400
_WIDTH = 150
_OMITTED = (
    "uid",
    "resourceVersion",
    "managedFields",
    "generation",
    "selfLink",
    "namespace",
)
_TRACES = "workflows.argoproj.io/trace-id"


def outcome(document: Mapping[str, Any]) -> Outcome:
    """Return what `status.read` says about a document."""
    run = status.read(document)
    jobs = tuple(f"{job.type} {_line(job)}" for job in run.jobs)
    first = run.experiments[0].jobs
    members = tuple(map(_line, first)) if len(first) > 1 else ()
    return Outcome(run.state.value, tuple(map(_line, run.experiments)), jobs, members)


def _line(status_: status.ExperimentStatus | status.JobStatus) -> str:
    # A peer ends by itself or because its pod is deleted, whichever is faster.
    code = (
        ""
        if status_.exit_code is None or status_.reason == "PEER"
        else str(status_.exit_code)
    )
    guilty = (getattr(status_, "guilty", None) or "").removeprefix(f"{status_.id}.")
    if guilty.startswith(status_.id.partition(".")[0]):
        guilty = guilty.rpartition(".")[2]  # a job of the run itself
    return " ".join(filter(None, (status_.state.value, status_.reason, code, guilty)))


def sanitised(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without fields of a specific cluster, and with long scripts shortened."""
    copy: dict[str, Any] = _cut(json.loads(json.dumps(document)))
    metadata = copy["metadata"]
    for key in _OMITTED:
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
    if isinstance(value, str) and len(value) > _MAX_TEXT_LENGTH:
        return (
            value[:_MAX_TEXT_LENGTH]
            + f"\n# and {len(value) - _MAX_TEXT_LENGTH} characters more"
        )
    return value


def phases(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the phase of every node by its name below the Workflow's."""
    name = document["metadata"]["name"]
    nodes = document.get("status", {}).get("nodes", {}).values()
    return {
        node["name"].removeprefix(name).lstrip("."): node["phase"] for node in nodes
    }


def complain(subject: str, expected: Outcome, actual: Outcome) -> None:
    """Report an outcome that is not the expected one."""
    sys.stderr.write(
        f"{subject}: expected {expected}\n{' ' * len(subject)}     actual {actual}\n"
    )


def play(
    namespace: WorkflowNamespace,
    scenario: Scenario,
    number: int,
    complain: Complaint = complain,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run a scenario; return its final document and the notes."""
    notes: list[dict[str, Any]] = []

    def check(subject: str, expected: Outcome, document: Mapping[str, Any]) -> None:
        if (actual := outcome(document)) != expected:
            complain(subject, expected, actual)

    scenario.before(namespace)
    run = namespace.submit(scenario.document(number, namespace.revision))

    def note(moment: str, expected: Outcome) -> None:
        document = run.document()
        fields = {key: document[key] for key in ("metadata", "status")}
        shutdown = document["spec"].get("shutdown")
        notes.append(
            {
                "moment": moment,
                "expect": _to_data(expected),
                "shutdown": shutdown,
                **sanitised(fields),
            }
        )
        check(f"{run.name} {moment}", expected, document)

    scenario.act(namespace, run, note)
    run.until_ended()
    document = run.document()
    check(run.name, scenario.outcome, document)
    return document, notes


def _to_data(expected: Outcome) -> dict[str, Any]:
    data = {
        "state": expected.state,
        "experiments": list(expected.experiments),
        "jobs": list(expected.jobs),
    }
    return {**data, "members": list(expected.members)} if expected.members else data


def record(namespace: WorkflowNamespace, name: str, number: int) -> None:
    """Run a scenario as often as it requires, and write its recording."""
    scenario = SCENARIOS[name]
    document, notes = play(namespace, scenario, number)
    seen = [phases(document)]
    seen += [
        phases(play(namespace, scenario, number + i)[0])
        for i in range(1, scenario.repeats)
    ]
    recording = {
        "scenario": name,
        "expect": _to_data(scenario.outcome),
        "notes": notes,
        "phases": seen,
        "document": sanitised(document),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(laid_out(recording) + "\n", encoding="utf-8")


def laid_out(value: Any, margin: str = "") -> str:
    """Return JSON with sorted keys, with everything that fits on one line."""
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
    """Record the named scenarios, or all of them."""
    namespace = WorkflowNamespace()
    for i, name in enumerate(SCENARIOS):
        if not names or name in names:
            sys.stderr.write(f"{name}\n")
            record(namespace, name, 10 * (i + 1))


if __name__ == "__main__":
    main(sys.argv[1:])
