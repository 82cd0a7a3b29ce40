"""Recordings of Argo: with the same ends of pods, the interpreter shows the same status."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from riseml import labels
from riseml.engines.local.interpreter.events import Annotated, Event, Shutdown
from riseml.engines.local.interpreter.validate import check
from riseml.errors import UnsupportedError
from tests.unit.simulator import FOREVER, End, Job, phases, simulate
from tests.unit.status.test_recordings import NOT_LOCAL

ALL = sorted((Path(__file__).parents[4] / "fixtures" / "argo").glob("*.json"))
RECORDINGS = [path for path in ALL if path.stem not in NOT_LOCAL]
EDGES = (
    "id",
    "name",
    "displayName",
    "type",
    "templateName",
    "templateScope",
    "boundaryID",
    "inputs",
)


def recorded(path: Path) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return recording


def seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def released_daemons(document: dict[str, Any]) -> set[str]:
    """Return the ids of daemons that ended after the rest of their DAG.

    Argo calls them Failed if the run continues, the local engine calls them Succeeded.
    """
    daemons = {
        template["name"]
        for template in document["spec"]["templates"]
        if template.get("daemon")
    }
    nodes = document["status"]["nodes"]
    return {
        key
        for key, node in nodes.items()
        if node["templateName"] in daemons
        and node.get("message") == "main: Error (exit code 143)"
        and nodes[node["boundaryID"]]["phase"] == "Succeeded"
    }


def script(document: dict[str, Any]) -> Callable[[Job], End]:
    """Let every pod end like the recorded one, at the same time."""
    start = seconds(document["status"]["startedAt"])
    ended_late = released_daemons(document)
    pods = {
        node["name"]: node
        for node in document["status"]["nodes"].values()
        if node["type"] == "Pod"
    }

    def end(job: Job) -> End:
        node = pods[job.name]
        message, code = node.get("message", ""), node.get("outputs", {}).get("exitCode")
        if (
            message.startswith("workflow shutdown") and code is None
        ) or message == "timeout":
            return End(pending=1_000)
        if node["id"] in ended_late:
            return FOREVER
        if job.template.get("daemon") and (
            node["phase"] == "Succeeded" or document["spec"].get("shutdown")
        ):
            return FOREVER
        is_default = message in (
            "",
            f"main: Error (exit code {code})",
        ) or message.startswith("workflow shutdown")
        return End(
            None if code is None else int(code),
            stopped=None if code is None else int(code),
            after=max(
                0.5, seconds(node["finishedAt"]) + 0.9 - start - job.at
            ),  # recorded times are whole seconds
            outputs={
                output["name"]: output["value"]  # a failed build has no value
                for output in node.get("outputs", {}).get("parameters", ())
                if "value" in output
            },
            message="" if is_default else message,
            phase=None if is_default else node["phase"],
        )

    return end


def events(document: dict[str, Any]) -> list[tuple[float, Event]]:
    """Return the kills during the recording, which its annotation lists."""
    start = seconds(document["status"]["startedAt"])
    kills: list[tuple[float, Event]] = []
    killed = ""
    for entry in filter(
        None, document["metadata"]["annotations"].get(labels.KILLED, "").split(",")
    ):
        sub, _, time = entry.partition("=")
        killed = f"{killed},{entry}" if killed else entry
        delay = seconds(time) - start
        kills.append((delay, Annotated(labels.KILLED, killed)))
        if sub == "*":
            kills.append(
                (delay, Shutdown(document["spec"].get("shutdown") or "Terminate"))
            )
    return kills


CUT_TAG = re.compile(r"\{\{(?=[^}]*\\n# and [0-9]+ characters more)")


def acceptable(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document that the local engine accepts.

    The recorded one may have a limit of memory, and its scripts may end within a tag.
    """
    copy = json.loads(CUT_TAG.sub("", json.dumps(document)))
    for template in copy["spec"]["templates"]:
        limits = template.get("container", {}).get("resources", {}).get("limits", {})
        limits.pop("memory", None)
    return dict(copy)


def play(recording: dict[str, Any]) -> dict[str, Any]:
    document = recording["document"]
    kills = events(document)
    early = [
        event.value
        for delay, event in kills
        if delay < 0 and isinstance(event, Annotated)
    ]
    fresh = {key: value for key, value in document.items() if key != "status"}
    annotations = {
        **document["metadata"]["annotations"],
        labels.KILLED: "".join(early[-1:]),
    }
    fresh["metadata"] = {**document["metadata"], "annotations": annotations}
    fresh["spec"] = {
        key: value for key, value in document["spec"].items() if key != "shutdown"
    }
    check(acceptable(fresh))
    return simulate(
        fresh,
        script(document),
        [(delay, event) for delay, event in kills if delay >= 0],
    )


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.stem)
def recording(request: pytest.FixtureRequest) -> dict[str, Any]:
    return recorded(request.param)


def test_phases_are_those_of_argo(recording: dict[str, Any]) -> None:
    """The interpreter agrees with the phases that all recordings of a scenario share."""
    agreed = {
        name: phase
        for name, phase in recording["phases"][0].items()
        if all(run.get(name) == phase for run in recording["phases"])
    }
    document = recording["document"]
    for key in released_daemons(document):
        del agreed[
            document["status"]["nodes"][key]["name"].removeprefix(
                f"{document['metadata']['name']}."
            )
        ]
    assert phases(play(recording)).items() >= agreed.items()


def test_nodes_are_those_of_argo(recording: dict[str, Any]) -> None:
    """Nodes have Argo's names, ids, positions and inputs."""
    expected = recording["document"]["status"]["nodes"]
    actual = play(recording)["status"]["nodes"]
    assert actual.keys() == expected.keys()
    for key, node in expected.items():
        assert {name: actual[key].get(name) for name in EDGES} == {
            name: node.get(name) for name in EDGES
        }
        assert set(actual[key].get("children", ())) == set(node.get("children", ()))
        if key not in released_daemons(recording["document"]):
            assert actual[key].get("outputs", {}).get("exitCode") == node.get(
                "outputs", {}
            ).get("exitCode")


def test_messages_are_those_of_argo(recording: dict[str, Any]) -> None:
    """The messages of the Workflow and of its pods are Argo's."""
    expected, actual = recording["document"]["status"], play(recording)["status"]
    assert actual.get("message") == expected.get("message")
    ended_late = released_daemons(recording["document"])
    assert ended_late or actual["progress"] == expected["progress"]
    for key, node in expected["nodes"].items():
        if key in ended_late:
            continue
        assert actual["nodes"][key].get("message") == node.get("message"), node["name"]


def test_a_workflow_that_argo_refuses_is_refused() -> None:
    document = recorded(next(path for path in ALL if path.stem == "refused"))[
        "document"
    ]
    with pytest.raises(UnsupportedError, match="there is no template 'nothing'"):
        check({key: value for key, value in document.items() if key != "status"})
