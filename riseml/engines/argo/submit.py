"""From a plan to a Workflow on the cluster; the run's number is taken once nothing more can be wrong with it."""

import io
import json
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from riseml.cluster.api import Object, path
from riseml.cluster.api_errors import ConflictError, RefusedError
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.compiler import compile_workflow, limits, record
from riseml.engines import Submission, Submitted
from riseml.engines.argo import archive, shards
from riseml.engines.argo.images import Images
from riseml.errors import (
    InvalidInputError,
    NotAllowedError,
    UnreachableError,
    UnsupportedError,
)
from riseml.plan import Build, ExperimentSet, Origin, Target

RECORD = "riseml-configuration.yml"
_ACCESS = "It must let clients in with their own tokens: `--auth-mode client`."
_AWAY = "Log in anew where it has moved; without `argo-server` in the settings file runs go to the Kubernetes API."
# Any user of the image may write there: Kubernetes itself would make a folder for root only.
_UNPACK = 'umask 0; cd /output; for folder; do mkdir -p "$folder"; done; exec tar -xf -'


def start(
    submission: Submission,
    place: UserNamespace,
    store: StorePod,
    *,
    home: Path,
    user: str,
    known: list[str],
) -> Submitted:
    """Compile, number and submit; `known` are the names of the secrets that are set."""
    plan = submission.plan
    if missing := [name for name in plan.secrets if name not in known]:
        raise InvalidInputError(
            f"riseml.yml names secrets that are not set: {', '.join(missing)}",
            f"Set them with `riseml secret set {missing[0]}`.",
        )
    place.node = submission.node
    target = place.target
    build = None
    if plan.install:
        images = Images(place.api, place.namespace, store, target)
        build = images.build(images.key(plan, home, submission.revision))
    if (
        place.number == 1
    ):  # the volume may have outlived an earlier user of this name, and no number is used twice
        place.begin_after(archive.last_number(store, user))
    origin, documents = _numbered(plan, submission.revision, build, place, user)
    make_folders(store, plan, origin, target)
    if len(documents) > 1:
        place.set_slots(origin.number or 0, plan.concurrency)
    for document in documents:
        create(place, document)
    several = f"the set is kept in {len(documents)} Workflows: it is too large for one"
    notes = (several,) if len(documents) > 1 else ()
    return Submitted(
        origin.number or 0,
        documents[0]["metadata"]["name"],
        plan.is_set,
        len(plan.experiments),
        notes,
    )


def _numbered(
    plan: ExperimentSet,
    revision: str,
    build: Build | None,
    place: UserNamespace,
    user: str,
) -> tuple[Origin, list[dict[str, Any]]]:
    """Return the Workflows of a plan, whose number is theirs from now on."""
    while True:
        origin = Origin(user, place.number, revision, build=build)
        document = compile_workflow(plan, origin, place.target)
        limits.check_annotations(document)
        parts = shards.split(plan, limits.share_of(document))
        documents = [document]
        if len(parts) > 1:
            documents = [
                compile_workflow(part, replace(origin, shard=shard), place.target)
                for part, shard in parts
            ]
        if place.take(place.number):
            return origin, documents


def make_folders(
    store: StorePod, plan: ExperimentSet, origin: Origin, target: Target
) -> None:
    """Make the output folders of a run, each with the record of its configuration."""
    folders = list(record.texts(plan, origin, target))
    run = str(Path(folders[0][0]).parent) if plan.is_set else folders[0][0]
    store.script(_UNPACK, run, stdin=_packed(folders))


def _packed(folders: list[tuple[str, str]]) -> Iterator[bytes]:
    """Yield a tar archive of folders and records, a few hundred at a time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder, text in folders:
            for name in (folder, f"{folder}/.riseml", f"{folder}/.riseml/logs"):
                archive.addfile(_entry(name, 0o777, tarfile.DIRTYPE))
            data = text.encode()
            archive.addfile(
                _entry(f"{folder}/{RECORD}", 0o666, size=len(data)), io.BytesIO(data)
            )
    yield buffer.getvalue()


def _entry(
    name: str, mode: int, kind: bytes = tarfile.REGTYPE, size: int = 0
) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size, entry.mtime = mode, kind, size, int(time.time())
    return entry


def create(place: UserNamespace, document: dict[str, Any]) -> Object:
    """Hand a Workflow to the cluster: to the Argo Server where there is one, else to the Kubernetes API.

    Raises:
        UnsupportedError: the cluster refuses it.
    """
    connection = place.api.connection
    try:
        if (
            connection.argo and connection.token
        ):  # an Argo Server knows no client certificates
            return _through_server(document, place)
        return place.api.create(path("workflows", place.namespace), document)
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


class _AsItIs:
    """A request to create a Workflow, for Hera's client, whose own model drops what Argo 4.1 knows and it does not."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def json(self, **_: Any) -> str:
        """Return the request's body."""
        return json.dumps({"workflow": self._document})


def _through_server(document: dict[str, Any], place: UserNamespace) -> Object:
    """Submit with Hera's client, which speaks the Argo Server's API."""
    from hera.exceptions import AlreadyExists, Forbidden, HeraException, Unauthorized  # noqa: PLC0415
    from hera.workflows import WorkflowsService  # noqa: PLC0415

    # Hera's own way to the network
    from requests import RequestException  # noqa: PLC0415

    connection = place.api.connection
    server = f"the Argo Server at {connection.argo}"
    # With a slash, for servers below a path
    host = f"{connection.argo}/"
    service = WorkflowsService(
        host=host, token=f"Bearer {connection.token}", namespace=place.namespace
    )
    request: Any = _AsItIs(document)
    try:
        made = service.create_workflow(request, namespace=place.namespace)
    except AlreadyExists as error:
        raise ConflictError(str(error)) from None
    except (Unauthorized, Forbidden) as error:
        raise NotAllowedError(
            f"{server} does not accept this: {error}", _ACCESS
        ) from None
    except HeraException as error:
        raise RefusedError(str(error)) from None
    except (
        RequestException,
        ValueError,
    ) as error:  # ValueError: what answers there is no Argo Server
        raise UnreachableError(
            f"{server} does not answer ({type(error).__name__})", _AWAY
        ) from None
    return dict(made.model_dump(mode="json", by_alias=True, exclude_none=True))
