"""From the plan that a command sends to a run on record: refuse what this machine cannot honour, number, compile.

Everything is checked before anything is written; the number is given in the transaction that records the run, so
numbers are consecutive however many commands come at once.
"""

import json
import re
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from riseml import labels
from riseml.engines.local import secrets
from riseml.engines.local.controller import environments
from riseml.engines.local.controller.active_run import ActiveRun
from riseml.engines.local.controller.machine import total
from riseml.engines.local.controller.run_record import Journal
from riseml.engines.local.interpreter import validate
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.engines.local.jobs.pod_to_process import PodPreparer, resources
from riseml.engines.local.serialize import moment, plan_from_data
from riseml.errors import InvalidInputError, RiseMLError, UnsupportedError
from riseml.plan import ExperimentSet, Origin, Resources, Target

if TYPE_CHECKING:
    from riseml.engines.local.controller.loop import Controller

_MOUNTED = re.compile(r"(?<![\w./-])/(?:code|data|output|riseml)(?![\w.-])")

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9-])?")


class Submitter:
    """Takes submissions for one home."""

    def __init__(self, controller: "Controller") -> None:
        self._controller = controller
        self._place = controller.place

    def start(
        self,
        plan: Mapping[str, Any],
        revision: str,
        user: str,
        environment: Mapping[str, str],
    ) -> dict[str, Any]:
        """Run a plan, as `plan_to_data` writes it; return the fields of `Submitted`."""
        planned = plan_from_data(plan)
        self._refuse(planned)
        build = None
        if planned.install:
            build = environments.build(planned, revision, self._place, environment)
        with self._controller.store.transaction():
            number = self._controller.store.next_number()
            origin = Origin(user, number, revision, build=build)
            run = self._record(number, self._compiled(planned, origin), environment)
            notes = self._remarks(planned)
        self._controller.runs[number] = run
        run.begin()
        name: str = run.run.name
        return {
            "number": number,
            "name": name,
            "is_set": planned.is_set,
            "experiments": len(planned.experiments),
            "notes": notes,
        }

    def submit(self, document: dict[str, Any], environment: Mapping[str, str]) -> str:
        """Run a compiled Workflow as it is; return its name."""
        with self._controller.store.transaction():
            number = self._controller.store.next_number()
            run = self._record(number, document, environment)
        self._controller.runs[number] = run
        run.begin()
        name: str = run.run.name
        return name

    def secrets(self) -> dict[str, str]:
        """Return the values that `riseml secret set` keeps in this home."""
        return secrets.read(self._place.home)

    def _compiled(self, plan: ExperimentSet, origin: Origin) -> dict[str, Any]:
        # Imports Hera
        from riseml.compiler import compile_workflow  # noqa: PLC0415

        document = compile_workflow(plan, origin, Target())
        for template in document["spec"]["templates"]:
            template.pop(
                "pendingTimeout", None
            )  # room comes when earlier runs have ended, however long that takes
        return document

    def _record(
        self, number: int, document: dict[str, Any], environment: Mapping[str, str]
    ) -> ActiveRun:
        """Check a document, make it a run, and write it down."""
        validate.check(document)
        metadata = document["metadata"]
        _safe(metadata)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = moment(time.time())
        metadata.setdefault("name", f"{metadata.get('generateName', 'run-')}{number}")
        metadata.setdefault("labels", {})[labels.NUMBER] = str(number)
        metadata.setdefault("annotations", {}).setdefault(labels.KILLED, "")
        if self._controller.store.named(metadata["name"]):
            raise InvalidInputError(
                f"there is a run named {metadata['name']} already",
                "Give the Workflow another name.",
            )
        self._fits(document)
        run = WorkflowRun(document, metadata["uid"])
        said = metadata["labels"]
        user, project = (
            said.get(labels.USER, "me"),
            said.get(labels.PROJECT, metadata["name"]),
        )
        experiments, concurrency = _shape(document)
        record = Journal(
            document, number, self._archive(user, project, number), experiments
        )
        self._controller.store.add_run(
            number=number,
            name=metadata["name"],
            user=user,
            project=project,
            is_set=int(said.get(labels.KIND) == "set"),
            concurrency=concurrency,
            state="CREATED",
            counts=json.dumps({"CREATED": experiments}),
            created=time.time(),
            document=json.dumps(document),
            environment=json.dumps(dict(environment)),
        )
        pods = PodPreparer(
            self._place, number, record.archive.parent, environment, self.secrets
        )
        return ActiveRun(self._controller, number, run, record, pods)

    def restored(self, document: dict[str, Any], number: int) -> Journal:
        """Return the journal of a run that an earlier controller recorded."""
        said = document["metadata"]["labels"]
        user, project = (
            said.get(labels.USER, "me"),
            said.get(labels.PROJECT, document["metadata"]["name"]),
        )
        return Journal(
            document, number, self._archive(user, project, number), _shape(document)[0]
        )

    def _archive(self, user: str, project: str, number: int) -> Any:
        return self._place.home / "output" / user / project / str(number) / "run.json"

    def _refuse(self, plan: ExperimentSet) -> None:
        """Refuse what a job would need and this home does not have."""
        if missing := [name for name in plan.secrets if name not in self.secrets()]:
            raise InvalidInputError(
                f"riseml.yml names secrets that are not set: {', '.join(missing)}",
                f"Set them with `riseml secret set {missing[0]}`.",
            )
        if self._place.mounts:
            return
        for line in (line for job in plan.jobs for line in job.run):
            if match := _MOUNTED.search(line):
                raise UnsupportedError(
                    f"this machine allows no mounts, and a run line names {match[0]}: {line}",
                    "Write $OUTPUT_DIR, $DATA_DIR or a relative path instead; that works on a cluster, too.",
                )

    def _fits(self, document: Mapping[str, Any]) -> None:
        templates = {each["name"]: each for each in document["spec"]["templates"]}
        for name, template in templates.items():
            if "container" in template:
                self._fit(name, resources(template))
            elif name == "experiment":
                jobs = [
                    templates[task["template"]] for task in template["dag"]["tasks"]
                ]
                asked = [resources(job) for job in jobs if "container" in job]
                self._fit(f"an experiment of {len(asked)} jobs", total(asked))

    def _fit(self, what: str, asked: Resources) -> None:
        if lacking := self._controller.admission.capacity.lacks(asked):
            raise RiseMLError(
                f"{what} can never start here: {lacking}",
                "Ask for less under `resources`, or run on a cluster. RISEML_CPUS and RISEML_MEM overrule what "
                "the local engine believes this machine has; set them before its controller starts.",
            )

    def _remarks(self, plan: ExperimentSet) -> list[str]:
        """Say, once for each image, what is not as on the cluster; inside a transaction."""
        if self._controller.store.first(f"told of image {plan.image}"):
            return [
                f"image {plan.image} is for the cluster: here jobs run in your own environment"
            ]
        return []


def _safe(metadata: Mapping[str, Any]) -> None:
    """Refuse names that Kubernetes would refuse: here they become paths, and none may lead out of its folder."""
    said = metadata.get("labels", {})
    for where, name in (
        *said.items(),
        ("metadata.name", metadata.get("name", metadata.get("generateName", "run-"))),
    ):
        if not _NAME.fullmatch(str(name)):
            raise InvalidInputError(
                f"{where}: {name!r} is no name",
                "Use letters, digits, - _ and ., at most 63.",
            )


def _shape(document: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many experiments a document holds, and how many of them may run at once."""
    for template in document["spec"]["templates"]:
        for task in template.get("dag", {}).get("tasks", ()):
            if task["name"] == "experiment":
                return len(task.get("withItems", [None])), template.get(
                    "parallelism", 0
                )
    return 1, 0
