"""Workflows as recorded from Argo: the interpreter, told how the recorded pods ended, shows what Argo showed."""

import json
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


def let_go(document: dict[str, Any]) -> set[str]:
    """Return the ids of daemons that ended when the rest of their DAG had, which Argo calls Failed if the run goes on.

    The local engine calls them Succeeded, however late they end.
    """
    daemons = {
        each["name"] for each in document["spec"]["templates"] if each.get("daemon")
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
    """Let every pod end as the recorded one did, and when."""
    start = seconds(document["status"]["startedAt"])
    ended_late = let_go(document)
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
        usual = message in (
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
                each["name"]: each["value"]  # a build that failed has written none
                for each in node.get("outputs", {}).get("parameters", ())
                if "value" in each
            },
            message="" if usual else message,
            phase=None if usual else node["phase"],
        )

    return end


def events(document: dict[str, Any]) -> list[tuple[float, Event]]:
    """Return what was done from outside while it was recorded: the kills that its annotation tells of."""
    start = seconds(document["status"]["startedAt"])
    found: list[tuple[float, Event]] = []
    told = ""
    for entry in filter(
        None, document["metadata"]["annotations"].get(labels.KILLED, "").split(",")
    ):
        what, _, time = entry.partition("=")
        told = f"{told},{entry}" if told else entry
        moment = seconds(time) - start
        found.append((moment, Annotated(labels.KILLED, told)))
        if what == "*":
            found.append(
                (moment, Shutdown(document["spec"].get("shutdown") or "Terminate"))
            )
    return found


def played(recording: dict[str, Any]) -> dict[str, Any]:
    document = recording["document"]
    happened = events(document)
    early = [
        event.value
        for moment, event in happened
        if moment < 0 and isinstance(event, Annotated)
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
    check(fresh)
    return simulate(
        fresh,
        script(document),
        [(moment, event) for moment, event in happened if moment >= 0],
    )


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.stem)
def recording(request: pytest.FixtureRequest) -> dict[str, Any]:
    return recorded(request.param)


def test_phases(recording: dict[str, Any]) -> None:
    """Where all recordings of a scenario agree, so does the interpreter."""
    agreed = {
        name: phase
        for name, phase in recording["phases"][0].items()
        if all(each.get(name) == phase for each in recording["phases"])
    }
    document = recording["document"]
    for key in let_go(document):
        del agreed[
            document["status"]["nodes"][key]["name"].removeprefix(
                f"{document['metadata']['name']}."
            )
        ]
    assert phases(played(recording)).items() >= agreed.items()


def test_nodes(recording: dict[str, Any]) -> None:
    """Nodes have Argo's names, ids, places and inputs."""
    wanted = recording["document"]["status"]["nodes"]
    got = played(recording)["status"]["nodes"]
    assert got.keys() == wanted.keys()
    for key, node in wanted.items():
        assert {name: got[key].get(name) for name in EDGES} == {
            name: node.get(name) for name in EDGES
        }
        assert set(got[key].get("children", ())) == set(node.get("children", ()))
        if key not in let_go(recording["document"]):
            assert got[key].get("outputs", {}).get("exitCode") == node.get(
                "outputs", {}
            ).get("exitCode")


def test_messages(recording: dict[str, Any]) -> None:
    """The messages of the Workflow and of its pods are Argo's."""
    wanted, got = recording["document"]["status"], played(recording)["status"]
    assert got.get("message") == wanted.get("message")
    ended_late = let_go(recording["document"])
    assert ended_late or got["progress"] == wanted["progress"]
    for key, node in wanted["nodes"].items():
        if key in ended_late:
            continue
        assert got["nodes"][key].get("message") == node.get("message"), node["name"]


def test_what_argo_refuses_is_refused() -> None:
    document = recorded(next(path for path in ALL if path.stem == "refused"))[
        "document"
    ]
    with pytest.raises(UnsupportedError, match="there is no template 'nothing'"):
        check({key: value for key, value in document.items() if key != "status"})
