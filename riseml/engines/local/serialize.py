"""Experiments, builds and times as JSON: what commands send to the controller, and what the database keeps."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from riseml.dataclass import dataclass, field
from riseml.plan import Build, BuildStep
from riseml.status import ExperimentStatus, State
from riseml.status.data import encode


@dataclass(frozen=True)
class Inherited:
    """What the jobs of a run inherit from the command that submitted it.

    `attributes` are those of `jobs/attributes.py`; none were recorded before 2.1.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, list[int]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text that the database keeps until the run has ended."""
        return json.dumps(vars(self))

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Inherited":
        """Return what `to_json` wrote; it used to be the environment alone."""
        if isinstance(data.get("environment"), dict):
            return cls(**data)
        return cls(data)


def timestamp(seconds: float) -> str:
    """Return a time, in seconds since 1970, as Argo writes it; with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def experiment_to_json(experiment: ExperimentStatus) -> str:
    """Return an experiment, without its jobs, as the database keeps it."""
    data = {
        name: value
        for name, value in vars(experiment).items()
        if value not in (None, "", ()) and name != "jobs"
    }
    return json.dumps(data, default=encode)


def experiment_from_data(data: Mapping[str, Any]) -> ExperimentStatus:
    """Return the experiment that `experiment_to_json` wrote."""
    fields = dict(data)
    for name in ("created", "started", "finished", "progressed"):
        if name in fields:
            fields[name] = datetime.fromisoformat(fields[name])
    if "progress" in fields:
        fields["progress"] = tuple(fields["progress"])
    if "notes" in fields:
        fields["notes"] = tuple(fields["notes"])
    fields["state"] = State(fields["state"])
    return ExperimentStatus(**fields)


def build_to_data(build: Build | None) -> dict[str, Any] | None:
    """Return a build as JSON data, of which `build_from_data` makes an equal build."""
    if build is None:
        return None
    return {**vars(build), "steps": list(map(vars, build.steps))}


def build_from_data(data: Mapping[str, Any] | None) -> Build | None:
    """Return the build that `build_to_data` wrote, or that JSON made of it."""
    if data is None:
        return None
    steps = []
    for step in data["steps"]:
        files, without = tuple(step["files"]), tuple(step["without"])
        steps.append(BuildStep(**{**step, "files": files, "without": without}))
    return Build(**{**data, "steps": tuple(steps)})
