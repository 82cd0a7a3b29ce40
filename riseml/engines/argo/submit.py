"""Submission of a plan as Workflows.

    plan ──▶ image key ──▶ number ──compile──▶ documents ──▶ output folders ──▶ cluster

The run takes its number only when nothing more can be wrong with it.
"""

import io
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.cluster import argo_server
from riseml.cluster.api import Object, path
from riseml.cluster.api_errors import ConflictError, RefusedError
from riseml.cluster.store import UNPACK, StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.compiler import gpus, limits, record
from riseml.compiler.cache import DocumentCache
from riseml.compiler.names import RUNGS
from riseml.dataclass import replace
from riseml.engines import Growth, Submission, Submitted
from riseml.engines.argo import (
    archive,
    deleted_workflow,
    pod_groups,
    queue_check,
    server_submission,
    shards,
)
from riseml.engines.argo.document_code import Compiler, compiler_of
from riseml.engines.argo.images import Images
from riseml.engines.argo.workflows import run_selector
from riseml.errors import (
    ChangedMeanwhileError,
    InvalidInputError,
    RiseMLError,
    UnsupportedError,
)
from riseml.metrics import hparams
from riseml.plan import Build, ExperimentSet, Origin, Shard, Target

Builds = Sequence[Build | None]
"""The builds of a plan, and of the job that chooses its parameters."""

RECORD = "riseml-configuration.yml"
# Any user of the image may write there; Kubernetes itself would make a folder for root only.
_UNPACK = f'umask 0; cd /output; for folder; do mkdir -p "$folder"; done; exec {UNPACK}'


def start(
    submission: Submission,
    namespace: UserNamespace,
    store: StorePod,
    *,
    home: Path,
    cache: DocumentCache,
    user: str,
    known: list[str],
    submitter: str | None,
) -> Submitted:
    """Compile, number and submit a plan.

    `cache` has the documents of the home. `known` are the names of the secrets that are
    set. `submitter` is the name of who submits it, None if an Argo Server notes that.

    Raises:
        InvalidInputError: the plan needs a secret that is not set.
        UnsupportedError: the cluster refuses the Workflow.
    """
    plan = submission.plan
    _check_secrets(plan, known)
    gpus.check(plan, namespace.target)
    queue_check.check(namespace, plan)
    namespace.node = submission.node
    compiler = compiler_of(submission, namespace.target, home, cache)
    builds = list(_builds(submission, namespace, store, home))
    if submission.into:
        origin, documents = _further(
            submission, submission.into, builds, compiler, user
        )
    else:
        if namespace.number == 1:
            # The volume may hold runs of an earlier user of this name, and no number
            # is used twice.
            namespace.begin_after(archive.last_number(store, user))
        origin, documents = _number(submission, builds, compiler, namespace, user)
    if submitter is not None:
        _name_submitter(submitter, documents)
    first_record = None
    if not submission.into:
        first_record = deleted_workflow.first_record(documents, namespace.server_time)
    folder = make_folders(store, plan, origin, namespace.target, first_record)
    number = origin.number or 0
    if len(documents) > 1 or submission.into:
        namespace.set_slots(number, plan.concurrency)
    groups = pod_groups.make(namespace, plan, documents)
    if submission.into:
        _add(namespace, submission.into, documents)
    else:
        _create_all(namespace, store, folder, documents)
    pod_groups.hand_over(namespace, groups)
    compiler.keep()
    return Submitted(
        number,
        documents[0]["metadata"]["name"],
        plan.is_set,
        len(plan.experiments),
        _notes(submission, documents),
    )


def _notes(
    submission: Submission, documents: Sequence[dict[str, Any]]
) -> tuple[str, ...]:
    if len(documents) == 1 or submission.into:
        return ()
    return (f"the set is too large for one Workflow, so it has {len(documents)}",)


def _name_submitter(submitter: str, documents: Sequence[dict[str, Any]]) -> None:
    """Write into Workflows who submits them."""
    for document in documents:
        document["metadata"]["annotations"][labels.SUBMITTER] = submitter


def _builds(
    submission: Submission, namespace: UserNamespace, store: StorePod, home: Path
) -> Iterator[Build | None]:
    """Yield the builds of a plan and of the job that chooses its parameters, None if it needs none."""
    for plan in (submission.plan, submission.plan.for_search):
        if not plan.install or namespace.target.saves_artifacts:
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


def _create_all(
    namespace: UserNamespace,
    store: StorePod,
    folder: str,
    documents: Sequence[dict[str, Any]],
) -> None:
    """Submit the Workflows of a new run, whose folder exists."""
    try:
        _create(namespace, documents[0])
    except RiseMLError:
        archive.withdraw(store, folder)
        raise
    for document in documents[1:]:
        _create(namespace, document)


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
    selector = run_selector(growth.number)
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
    compiler: Compiler,
    user: str,
) -> tuple[Origin, list[dict[str, Any]]]:
    """Return the Workflows that are added to a run."""
    plan = submission.plan
    origin = _origin(submission, builds, growth.number, user)
    origin = replace(origin, shard=Shard(growth.shard, 0))
    document = compiler.compile(plan, origin)
    limits.check_annotations(document)
    parts = shards.split(plan, limits.share_of(document))
    documents = []
    for index, (experiments, _) in enumerate(parts, start=growth.shard):
        shard_origin = replace(origin, shard=Shard(index, 0))
        documents.append(compiler.compile(experiments, shard_origin))
    return origin, documents


def _number(
    submission: Submission,
    builds: Builds,
    compiler: Compiler,
    namespace: UserNamespace,
    user: str,
) -> tuple[Origin, list[dict[str, Any]]]:
    """Take a number and return the Workflows of the plan that have it."""
    plan = submission.plan
    while True:
        origin = _origin(submission, builds, namespace.number, user)
        document = compiler.compile(plan, origin)
        limits.check_annotations(document)
        parts = shards.split(plan, limits.share_of(document))
        documents = [document]
        if len(parts) > 1:
            documents = [
                compiler.compile(experiments, replace(origin, shard=shard))
                for experiments, shard in parts
            ]
        # Another process may take the number first; it is part of every document.
        if namespace.take(namespace.number):
            return origin, documents


def make_folders(
    store: StorePod,
    plan: ExperimentSet,
    origin: Origin,
    target: Target,
    first_record: bytes | None = None,
) -> str:
    """Make the output folders of a run, each with the record of its configuration.

    Return the folder of the run, which gets `first_record`.
    """
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
    if first_record is not None:
        folders.append((run_folder, {deleted_workflow.FILE: first_record}))
    store.script(_UNPACK, *made, stdin=_archive(folders))
    return run_folder


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
        if argo_server.is_usable(connection):
            return server_submission.create(namespace.api, document)
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
