"""Submission of runs: refuse what this machine cannot run, number, compile, record, start.

Everything is checked before anything is written. The number is assigned in the
transaction that records the run, so numbers are consecutive however many commands
submit at once.
"""

import os
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from riseml import labels, marks
from riseml.compiler.cache import DocumentCache
from riseml.engines import Growth
from riseml.engines.local import shard_keys
from riseml.engines.local.controller import (
    environments,
    growth,
    job_limits,
    networks,
    numbers,
)
from riseml.engines.local.controller.active_run import ActiveRun
from riseml.engines.local.controller.capacity import Capacity, measure_machine
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.run_record import RunRecord
from riseml.engines.local.controller.runs import ActiveRuns
from riseml.engines.local.controller.services import Services
from riseml.engines.local.interpreter import validate
from riseml.engines.local.interpreter.normalize import without_nulls
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.engines.local.jobs.pod_resources import resources
from riseml.engines.local.jobs.pod_to_process import PodPreparer
from riseml.engines.local.serialize import (
    Inherited,
    build_from_data,
    timestamp,
)
from riseml.errors import InvalidInputError, RiseMLError, UnsupportedError
from riseml.plan import (
    Build,
    ExperimentSet,
    GitState,
    Origin,
    Resources,
    Shard,
    Target,
)
from riseml.plan_data import plan_from_data
from riseml.settings import PROCESS

# By then, the job runs that the command waits for.
_KEEPING_DELAY_SECONDS = 0.5
_PROCESSES: Mapping[str, Any] = {"name": PROCESS, "is_explained": False}
_MOUNT_POINT = re.compile(r"(?<![\w./-])/(?:code|data|output|resume|riseml)(?![\w.-])")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9-])?")

# On one machine, the annotations of a pod say which share of a GPU it gets. A cluster has
# no resource of this name, so it would never take such a pod for one without a GPU. The
# setting `resources.enforce` says whether jobs have limits.
_TARGET = Target(gpu_fractions={"any": {"riseml.io/gpu-share": "1"}}, limit_mem=False)


class Submitter:
    """Turns submissions into active runs of one home."""

    def __init__(self, services: Services, runs: ActiveRuns) -> None:
        self._services, self._runs = services, runs
        self._documents = DocumentCache(services.layout.home)

    def start(
        self,
        *,
        plan: Mapping[str, Any],
        revision: str,
        user: str,
        inherited: Mapping[str, Any],
        excluded: Mapping[str, tuple[str, ...]],
        git: Mapping[str, Any] | None = None,
        token: str,
        into: Mapping[str, int] | None = None,
        marked: Mapping[str, Any] | None = None,
        runner: Mapping[str, Any] | None = None,
        again: bool = False,
    ) -> dict[str, Any]:
        """Run a plan, as `plan_to_data` writes it; return the fields of `Submitted`.

        `token` identifies the submission. With `again`, an earlier controller may have
        recorded it before it could answer. `into` has the fields of a `Growth`, `runner`
        those of `RunRunner.to_data`.

        Raises:
            RiseMLError: this machine cannot run the plan; nothing was recorded.
            ChangedMeanwhileError: the run has the Workflow of `into` already.
        """
        planned = plan_from_data(plan)
        uid = str(uuid.UUID(token))
        recorded = self._services.store.with_uid(uid) if again else None
        if recorded is not None:
            number = shard_keys.number_of(recorded["number"])
            return _submitted(number, recorded["name"], planned, [])
        from_command = Inherited(**inherited)
        self._check_secrets(planned)
        runner = runner or _PROCESSES
        build, search_build = self._builds(planned, revision, from_command, runner)
        with self._services.store.transaction():
            if into is None:
                key, shard = numbers.assign(self._services), None
            else:
                key = growth.key(self._services.store, planned, Growth(**into))
                shard = Shard(shard_keys.shard_of(key), 0)
            number = shard_keys.number_of(key)
            origin = Origin(
                user,
                number,
                revision,
                build=build,
                search_build=search_build,
                shard=shard,
                excluded=excluded,
                git=GitState(**git) if git else None,
                marks=marks.from_data(marked),
                runner=runner["name"],
            )
            document = self._compile(planned, origin)
            run = self._record(key, document, from_command, uid)
            notes = self._notes(planned, runner)
        self._begin(run)
        self._services.loop.after(_KEEPING_DELAY_SECONDS, self._documents.keep)
        return _submitted(number, run.run.name, planned, notes)

    def _compile(self, plan: ExperimentSet, origin: Origin) -> dict[str, Any]:
        document = self._documents.compile(plan, origin, _TARGET)
        for template in document["spec"]["templates"]:
            # On one machine, resources become free when earlier runs end, whenever that is.
            template.pop("pendingTimeout", None)
            # One machine has no semaphores, with which shards share the `concurrency` of a set.
            if "semaphores" in template.get("synchronization", {}):
                del template["synchronization"]
        return document

    def _builds(
        self,
        plan: ExperimentSet,
        revision: str,
        inherited: Inherited,
        runner: Mapping[str, Any],
    ) -> tuple[Build | None, Build | None]:
        """Return the builds of a plan and of its search, None where nothing is needed."""
        # The job of a search is always a process.
        search_build = self._build(plan.for_search, revision, inherited)
        if runner["name"] != PROCESS:
            return build_from_data(runner["build"]), search_build
        self._check_mounts(plan)
        networks.check(plan)
        return self._build(plan, revision, inherited), search_build

    def _build(
        self, plan: ExperimentSet, revision: str, inherited: Inherited
    ) -> Build | None:
        """Return the build of a plan's environment, None if it needs none."""
        if not plan.install and not plan.isolated:
            return None
        environment = inherited.environment
        return environments.build(plan, revision, self._services.layout, environment)

    def submit(self, document: dict[str, Any], inherited: Mapping[str, Any]) -> str:
        """Run a compiled Workflow as it is; return its name.

        Raises:
            RiseMLError: this machine cannot run it faithfully; nothing was recorded.
        """
        with self._services.store.transaction():
            number = numbers.assign(self._services)
            run = self._record(
                number,
                without_nulls(document),
                Inherited(**inherited),
                str(uuid.uuid4()),
            )
        self._begin(run)
        name: str = run.run.name
        return name

    def _begin(self, run: ActiveRun) -> None:
        logger.info(
            "run %s: submitted as %s, experiments: %d",
            run.title,
            run.run.name,
            run.record.experiment_count,
        )
        self._runs.begin(run)

    def _record(
        self,
        key: int,
        document: dict[str, Any],
        inherited: Inherited,
        uid: str,
    ) -> ActiveRun:
        """Check a document, identify it as a run, and insert it into the database."""
        validate.check(document)
        _check_names(document["metadata"])
        _identify(document["metadata"], shard_keys.number_of(key), uid)
        name = document["metadata"]["name"]
        if self._services.store.named(name):
            raise InvalidInputError(
                f"there is already a run named {name}",
                "Give the Workflow another name.",
            )
        record = RunRecord(self._services.layout, document, key)
        preparer = self._services.preparer(key, record.folder, inherited, record.runner)
        self._check_capacity(document, preparer)
        run = WorkflowRun(document, document["metadata"]["uid"])
        record.insert(self._services.store, inherited)
        return ActiveRun(self._services, run, record, preparer)

    def _check_capacity(
        self, document: Mapping[str, Any], preparer: PodPreparer
    ) -> None:
        """Refuse a document that can never run here."""
        machine, environment = self._services.machine, preparer.inherited.environment
        try:
            _check_capacity(document, machine.capacity_for(preparer.cpus, environment))
        except RiseMLError:
            # The driver of the GPUs may have been repaired meanwhile.
            if not machine.replace_gpus(measure_machine(os.environ).gpus):
                raise
            _check_capacity(document, machine.capacity_for(preparer.cpus, environment))

    def _check_secrets(self, plan: ExperimentSet) -> None:
        if not plan.secrets:
            return
        secrets = self._services.secrets()
        missing = [name for name in plan.secrets if name not in secrets]
        if missing:
            raise InvalidInputError(
                f"riseml.yml names secrets that are not set: {', '.join(missing)}",
                f"Set them with `riseml secret set {missing[0]}`.",
            )

    def _check_mounts(self, plan: ExperimentSet) -> None:
        if self._services.layout.mounts:
            return
        for job in plan.jobs:
            for line in job.run:
                match = _MOUNT_POINT.search(line)
                if match:
                    raise UnsupportedError(
                        f"this machine allows no mounts, and a run line names {match[0]}: {line}",
                        "Use $OUTPUT_DIR, $DATA_DIR, $RESUME_DIR or a relative path instead;"
                        " they work on a cluster, too.",
                    )

    def _notes(self, plan: ExperimentSet, runner: Mapping[str, Any]) -> list[str]:
        """Return what differs from a cluster, once per image; inside a transaction."""
        notes = []
        is_unexplained = runner["name"] == PROCESS and not runner["is_explained"]
        if is_unexplained and self._services.store.first(f"told of image {plan.image}"):
            notes.append(
                f"image {plan.image} is used on clusters only: here jobs run in your own environment"
            )
        lacks_gateway = plan.isolate_network and not networks.gateway()
        if lacks_gateway and self._services.store.first("told of isolated networks"):
            notes.append(networks.NOTE)
        lacks_groups = plan.enforces_resources and job_limits.parents() is None
        if lacks_groups and self._services.store.first("told of limits"):
            notes.append(job_limits.NOTE)
        return notes


def _submitted(
    number: int, name: str, plan: ExperimentSet, notes: list[str]
) -> dict[str, Any]:
    """Return the fields of `Submitted`."""
    return {
        "number": number,
        "name": name,
        "is_set": plan.is_set,
        "experiments": len(plan.experiments),
        "notes": notes,
    }


def _identify(metadata: dict[str, Any], number: int, uid: str) -> None:
    """Give a document what Kubernetes would: uid, time and name; and its number."""
    metadata["uid"] = uid
    metadata["creationTimestamp"] = timestamp(time.time())
    metadata.setdefault("name", f"{metadata.get('generateName', 'run-')}{number}")
    metadata.setdefault("labels", {})[labels.NUMBER] = str(number)
    metadata.setdefault("annotations", {}).setdefault(labels.KILLED, "")


def _check_names(metadata: Mapping[str, Any]) -> None:
    """Refuse names that Kubernetes would refuse.

    Names become paths of the home, so none may lead out of its folder.
    """
    for field, value in metadata.get("labels", {}).items():
        if not _LABEL.fullmatch(str(value)):
            raise InvalidInputError(
                f"{field}: {value!r} is not a valid name",
                "Use at most 63 characters: letters, digits, '-', '_' and '.'.",
            )
    name = metadata["name"]
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"metadata.name: {name!r} is not a valid name",
            "Use at most 63 characters: lower-case letters, digits, '-' and '.'.",
        )


def _check_capacity(document: Mapping[str, Any], capacity: Capacity) -> None:
    """Refuse a document with a pod, or a gang, that can never start on this machine."""
    templates = {
        template["name"]: template for template in document["spec"]["templates"]
    }
    for name, template in templates.items():
        if "container" in template:
            _check_requests(name, [resources(template)], capacity)
        elif name == "experiment":
            requests = []
            for task in template["dag"]["tasks"]:
                job = templates[task["template"]]
                if "container" in job:
                    requests.append(resources(job))
            count = len(requests)
            subject = "a job" if count == 1 else f"an experiment of {count} jobs"
            _check_requests(subject, requests, capacity)


def _check_requests(
    subject: str, requests: Sequence[Resources], capacity: Capacity
) -> None:
    shortage = capacity.lacks(*requests)
    if shortage:
        raise RiseMLError(
            f"{subject} can never start here: {shortage}",
            "Request less under `resources`, or run on a cluster. `riseml doctor` shows what RiseML found here; if this"
            " machine has more, set RISEML_CPUS, RISEML_MEM or RISEML_GPUS before its controller starts.",
        )
