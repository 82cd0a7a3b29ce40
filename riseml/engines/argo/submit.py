"""Submission of a plan as Workflows.

    plan ──▶ image key ──▶ number ──compile──▶ documents ──▶ output folders ──▶ cluster

The run takes its number only when nothing more can be wrong with it.
"""

import io
import json
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.cluster.api import Object, path
from riseml.cluster.api_errors import ConflictError, RefusedError
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.compiler import compile_workflow, limits, record
from riseml.compiler.names import RUNGS
from riseml.engines import Growth, Submission, Submitted
from riseml.engines.argo import archive, shards
from riseml.engines.argo.images import Images
from riseml.errors import (
    ChangedMeanwhileError,
    InvalidInputError,
    NotAllowedError,
    UnreachableError,
    UnsupportedError,
)
from riseml.metrics import hparams
from riseml.plan import Build, ExperimentSet, Origin, Shard, Target

Builds = Sequence[Build | None]
"""The builds of a plan, and of the job that chooses its parameters."""

RECORD = "riseml-configuration.yml"
_AUTH_ADVICE = "Run it with `--auth-mode client`, so that it accepts users' own tokens."
_UNREACHABLE_ADVICE = (
    "Log in again if it has moved. Without `argo-server` in the settings file, "
    "runs are submitted to the Kubernetes API."
)
# Any user of the image may write there; Kubernetes itself would make a folder for root only.
_UNPACK = 'umask 0; cd /output; for folder; do mkdir -p "$folder"; done; exec tar -xf -'


def start(
    submission: Submission,
    namespace: UserNamespace,
    store: StorePod,
    *,
    home: Path,
    user: str,
    known: list[str],
) -> Submitted:
    """Compile, number and submit a plan; `known` are the names of the secrets that are set.

    Raises:
        InvalidInputError: the plan needs a secret that is not set.
        UnsupportedError: the cluster refuses the Workflow.
    """
    plan = submission.plan
    _check_secrets(plan, known)
    namespace.node = submission.node
    builds = list(_builds(submission, namespace, store, home))
    if submission.into:
        origin, documents = _further(
            submission, submission.into, builds, namespace, user
        )
    else:
        if namespace.number == 1:
            # The volume may hold runs of an earlier user of this name, and no number
            # is used twice.
            namespace.begin_after(archive.last_number(store, user))
        origin, documents = _number(submission, builds, namespace, user)
    make_folders(store, plan, origin, namespace.target)
    number = origin.number or 0
    notes = []
    if len(documents) > 1 or submission.into:
        namespace.set_slots(number, plan.concurrency)
    if len(documents) > 1 and not submission.into:
        notes.append(
            f"the set is too large for one Workflow, so it has {len(documents)}"
        )
    if submission.into:
        _add(namespace, submission.into, documents)
    else:
        for document in documents:
            _create(namespace, document)
    return Submitted(
        number,
        documents[0]["metadata"]["name"],
        plan.is_set,
        len(plan.experiments),
        tuple(notes),
    )


def _builds(
    submission: Submission, namespace: UserNamespace, store: StorePod, home: Path
) -> Iterator[Build | None]:
    """Yield the builds of a plan and of the job that chooses its parameters, None if it needs none."""
    for plan in (submission.plan, submission.plan.for_search):
        if not plan.install:
            yield None
            continue
        images = Images(namespace.api, namespace.namespace, store, namespace.target)
        # The plan of the search has a base image of its own.
        base = submission.base if plan is submission.plan else ""
        key = images.key(plan, home, submission.revision, base or None)
        yield images.build(key)


def _check_secrets(plan: ExperimentSet, names: list[str]) -> None:
    missing = [name for name in plan.secrets if name not in names]
    if missing:
        raise InvalidInputError(
            f"riseml.yml names secrets that are not set: {', '.join(missing)}",
            f"Set them with `riseml secret set {missing[0]}`.",
        )


def _create(namespace: UserNamespace, document: dict[str, Any]) -> None:
    """Submit a Workflow of a run."""
    # The archive sets it once `run.json` is written: until then, Argo must not delete
    # the only record of the run.
    document["spec"].pop("ttlStrategy", None)
    create(namespace, document)


def _add(
    namespace: UserNamespace, growth: Growth, documents: Sequence[dict[str, Any]]
) -> None:
    """Add Workflows to a run.

    Raises:
        ChangedMeanwhileError: another command has added one.
    """
    selector = f"{labels.NUMBER}={growth.number}"
    workflows = path("workflows", namespace.namespace)
    earlier = namespace.api.items(workflows, metadata=True, labelSelector=selector)
    last_shard = growth.shard + len(documents) - 1
    archive.reopen(namespace.api, list(earlier), last_shard)
    try:
        for document in documents:
            _create(namespace, document)
    except InvalidInputError:
        # There is a Workflow of this name.
        raise ChangedMeanwhileError(
            f"another command has repeated or added experiments of {growth.number}",
            f"`riseml status {growth.number}` shows what has not finished.",
        ) from None


def _origin(submission: Submission, builds: Builds, number: int, user: str) -> Origin:
    build, search_build = builds
    return Origin(
        user,
        number,
        submission.revision,
        build=build,
        search_build=search_build,
        excluded=submission.excluded,
        git=submission.git,
        marks=submission.marks,
    )


def _further(
    submission: Submission,
    growth: Growth,
    builds: Builds,
    namespace: UserNamespace,
    user: str,
) -> tuple[Origin, list[dict[str, Any]]]:
    """Return the Workflows that are added to a run."""
    plan, target = submission.plan, namespace.target
    origin = _origin(submission, builds, growth.number, user)
    origin = replace(origin, shard=Shard(growth.shard, 0))
    document = compile_workflow(plan, origin, target)
    limits.check_annotations(document)
    parts = shards.split(plan, limits.share_of(document))
    documents = []
    for index, (experiments, _) in enumerate(parts, start=growth.shard):
        shard_origin = replace(origin, shard=Shard(index, 0))
        documents.append(compile_workflow(experiments, shard_origin, target))
    return origin, documents


def _number(
    submission: Submission, builds: Builds, namespace: UserNamespace, user: str
) -> tuple[Origin, list[dict[str, Any]]]:
    """Take a number and return the Workflows of the plan that have it."""
    plan = submission.plan
    while True:
        origin = _origin(submission, builds, namespace.number, user)
        target = namespace.target
        document = compile_workflow(plan, origin, target)
        limits.check_annotations(document)
        parts = shards.split(plan, limits.share_of(document))
        documents = [document]
        if len(parts) > 1:
            documents = [
                compile_workflow(experiments, replace(origin, shard=shard), target)
                for experiments, shard in parts
            ]
        # Another process may take the number first; it is part of every document.
        if namespace.take(namespace.number):
            return origin, documents


def make_folders(
    store: StorePod, plan: ExperimentSet, origin: Origin, target: Target
) -> None:
    """Make the output folders of a run, each with the record of its configuration."""
    folders = list(_folders(plan, origin, target))
    first, _ = folders[0]
    run_folder = str(Path(first).parent) if plan.is_set else first
    made = [run_folder]
    if plan.early_stop:
        made.append(f"{run_folder}/{RUNGS}")
    for experiment, (folder, _) in zip(plan.experiments, folders, strict=True):
        if experiment.resume == "":
            # Kubernetes itself would make it, for root only.
            made.append(f"{folder}/{labels.EMPTY_FOLDER}")
    store.script(_UNPACK, *made, stdin=_archive(folders))


def _folders(
    plan: ExperimentSet, origin: Origin, target: Target
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield each experiment's output folder, and its files by name."""
    now = time.time()
    texts = record.texts(plan, origin, target)
    for experiment, (folder, text) in zip(plan.experiments, texts, strict=True):
        files = {RECORD: text.encode()}
        if experiment.parameters:
            name = f"{origin.number}.{experiment.sub}"
            session = hparams.start(name, experiment.parameters, now)
            files[hparams.START_FILE] = session
        yield folder, files


def _archive(folders: list[tuple[str, dict[str, bytes]]]) -> Iterator[bytes]:
    """Yield a tar archive of folders and their files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder, files in folders:
            for name in (folder, f"{folder}/.riseml", f"{folder}/.riseml/logs"):
                tar.addfile(_entry(name, 0o777, tarfile.DIRTYPE))
            for name, data in files.items():
                entry = _entry(f"{folder}/{name}", 0o666, size=len(data))
                tar.addfile(entry, io.BytesIO(data))
    yield buffer.getvalue()


def _entry(
    name: str, mode: int, kind: bytes = tarfile.REGTYPE, size: int = 0
) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size, entry.mtime = mode, kind, size, int(time.time())
    return entry


def create(namespace: UserNamespace, document: dict[str, Any]) -> Object:
    """Submit a Workflow to the Argo Server if there is one, else to the Kubernetes API.

    Raises:
        InvalidInputError: there is a Workflow of this name.
        UnsupportedError: the cluster refuses the Workflow.
    """
    connection = namespace.api.connection
    try:
        # An Argo Server does not accept client certificates.
        if connection.argo and connection.token:
            return _create_through_server(document, namespace)
        return namespace.api.create(path("workflows", namespace.namespace), document)
    except ConflictError:
        name = document["metadata"].get("name")
        raise InvalidInputError(
            f"there is a Workflow {name} already", "Give it another name."
        ) from None
    except RefusedError as error:
        raise UnsupportedError(
            f"the cluster refuses this Workflow: {error}",
            "`riseml doctor` may say why.",
        ) from None


class _RawRequest:
    """Request for Hera's client that carries a document unchanged.

    Hera's own model drops fields that Argo 4.1 has and Hera lacks.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def json(self, **_: Any) -> str:
        """Return the request's body."""
        return json.dumps({"workflow": self._document})


def _create_through_server(
    document: dict[str, Any], namespace: UserNamespace
) -> Object:
    """Submit with Hera's client, which speaks the Argo Server's API."""
    from hera.exceptions import AlreadyExists, Forbidden, HeraException, Unauthorized  # noqa: PLC0415
    from hera.workflows import WorkflowsService  # noqa: PLC0415

    # Hera's client raises its exceptions.
    from requests import RequestException  # noqa: PLC0415

    connection = namespace.api.connection
    server = f"the Argo Server at {connection.argo}"
    service = WorkflowsService(
        # Without the slash, Hera drops the last segment of a server's path.
        host=f"{connection.argo}/",
        token=f"Bearer {connection.token}",
        namespace=namespace.namespace,
    )
    request: Any = _RawRequest(document)
    try:
        workflow = service.create_workflow(request, namespace=namespace.namespace)
    except AlreadyExists as error:
        raise ConflictError(str(error)) from None
    except (Unauthorized, Forbidden) as error:
        raise NotAllowedError(
            f"{server} does not accept this: {error}", _AUTH_ADVICE
        ) from None
    except HeraException as error:
        raise RefusedError(str(error)) from None
    except (RequestException, ValueError) as error:
        # A ValueError means that the answer does not come from an Argo Server.
        raise UnreachableError(
            f"{server} does not answer ({type(error).__name__})", _UNREACHABLE_ADVICE
        ) from None
    return dict(workflow.model_dump(mode="json", by_alias=True, exclude_none=True))
