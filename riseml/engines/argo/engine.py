"""The Argo engine as commands see it: a user's namespace, read through the Kubernetes API."""

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import labels, status
from riseml.cluster import namespace_of
from riseml.cluster.api import CACHED, Api, Object, path, path_of
from riseml.cluster.connection import Connection
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.engines import Change, Chunk, LogQuery, Query, Submission, Submitted
from riseml.engines.argo import archive, listing, live_results, pods, shards, stop
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError, UnreachableError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State

if TYPE_CHECKING:
    from riseml.cluster.port_forward import Forwarding
    from riseml.diagnosis.evidence import Evidence
    from riseml.engines.argo.images import Images
    from riseml.engines.argo.volume import StoreVolume
    from riseml.plan import ExperimentSet
    from riseml.project import Snapshot
    from riseml.project.image_key import ImageKey

# ArgoEngine has a method of this name
list_ = list

_SECRETS = "riseml-secrets"
# Seconds that a watch may last
_WATCH = 240
# Seconds, while nothing runs: what keeps a job from starting is told by no change of the Workflow
_SHORT = 25
# Seconds before a broken watch is tried again
_PAUSE = 1.0
# Seconds that the cluster may be away while something is followed
_PATIENCE = 60.0


class ArgoEngine:
    """Runs Workflows in the namespace of a connection; `home` keeps the code before it is pushed."""

    name = "argo"
    build_noun = "image"

    def __init__(self, connection: Connection, home: Path) -> None:
        self.api = Api(connection)
        self.namespace, self.home = connection.namespace, home
        self.user = connection.user
        self.place = UserNamespace(self.api, self.namespace)
        self.store = StorePod(self.api, self.namespace)

    # Write

    def snapshot(
        self, project: str, folder: Path, *, gitignore: bool = True
    ) -> "Snapshot":
        """Keep the code of `folder` in the home's repository of the project, and push it to the user's store."""
        from riseml.engines.argo import code  # noqa: PLC0415
        from riseml.project import repository_of, snapshot  # noqa: PLC0415

        taken = snapshot(
            folder,
            repository_of(project, self.home),
            gitignore=gitignore,
            without=(self.home,),
        )
        code.push(self.store, self.home, project, taken.revision)
        return taken

    def start(self, submission: Submission) -> Submitted:
        """Compile, number and submit a plan; the cluster has it when this returns."""
        # Imports Hera
        from riseml.engines.argo import submit as starting  # noqa: PLC0415

        known = sorted(self.secrets())
        return starting.start(
            submission,
            self.place,
            self.store,
            home=self.home,
            user=self.user,
            known=known,
        )

    def submit(self, document: dict[str, Any]) -> str:
        """Run a compiled Workflow as it is; return its name."""
        # Imports Hera
        from riseml.engines.argo import submit as starting  # noqa: PLC0415

        return str(starting.create(self.place, document)["metadata"]["name"])

    def stop(self, run: Id, *, force: bool = False) -> bool:
        """Kill a run or one of its experiments; False where it had ended already."""
        return stop.stop(self, run, force=force)

    def delete(self, run: Id) -> None:
        """Forget an ended run: its Workflow, its logs, its output."""
        whole, documents = self._seen(run)
        if not whole.state.is_terminal:
            raise RiseMLError(
                f"{whole.id} has not ended (it is {whole.state})",
                f"`riseml kill {whole.id}` ends it.",
            )
        archive.remove(self.store_of(run), whole)
        for each in documents:
            self.api.delete(path_of(each), propagationPolicy="Background")

    def prune_unused(self, before: float) -> int:
        """Drop images unused since `before` (unix seconds), and code that no run refers to; return how many images.

        Nothing while something runs: it may be about to use what looks unused.
        """
        # Only `prune` needs it
        from riseml.engines.argo import code  # noqa: PLC0415
        from riseml.engines.local.store import Store  # noqa: PLC0415
        from riseml.project import tidy  # noqa: PLC0415

        if self.list(Query()):
            return 0
        found = listing.known(self, self.namespace, labels.NUMBER)
        kept = {
            str(each["metadata"].get("annotations", {}).get(labels.REVISION, ""))
            for each in found
        }
        kept |= archive.revisions(self.store, self.user)
        # Of Workflows that have no code
        kept.discard("")
        code.prune(self.store, kept)
        tidy(
            self.home, kept.union(Store(self.home).revisions())
        )  # or the next push would bring all of it again
        return self._images().prune_unused(before)

    def secrets(self) -> Iterable[str]:
        """Return the names of the user's secrets."""
        found = self.api.find(path("secrets", self.namespace, _SECRETS)) or {}
        return list(found.get("data") or ())

    def set_secret(self, name: str, value: str | None) -> bool:
        """Set a secret, or forget it where `value` is None; return whether it was there before."""
        there = name in self.secrets()
        data = None if value is None else base64.b64encode(value.encode()).decode()
        self.api.patch(
            path("secrets", self.namespace, _SECRETS), {"data": {name: data}}
        )
        return there

    # Read

    def get(self, run: Id) -> dict[str, Any]:
        """Return the Workflow with its status, of a set in several the first."""
        return self.documents(run)[0]

    def documents(self, run: Id) -> list_[Object]:
        """Return all Workflows of a run.

        Raises:
            NotFoundError: there are none, or none any more.
        """
        at, chosen = (
            path("workflows", self.namespace_of(run)),
            f"{labels.NUMBER}={run.number}",
        )
        try:
            found = (
                list(self.api.items(at, labelSelector=chosen, resourceVersion=CACHED))
                if run.number
                else []
            )
            if not found and run.number:
                found = list(
                    self.api.items(at, labelSelector=chosen)
                )  # it may be a moment old
        except NotAllowedError:
            raise NotAllowedError(
                f"{run.user}'s experiments are not for you",
                "Administrators may see them.",
            ) from None
        if not found:
            absent = f"there is no run {Id(run.user, run.number)}"
            raise NotFoundError(absent, "`riseml status -a` lists what there is.")
        kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
        return sorted(({**kind, **each} for each in found), key=shards.order)

    def read(self, run: Id) -> SetStatus:
        """Return one run in full; one whose Workflow is gone as its archive has it."""
        return self._seen(run)[0]

    def list(self, query: Query) -> list[SetStatus]:
        """Return runs, newest first."""
        return listing.runs(self, query)

    def latest(self, project: str | None = None) -> Id:
        """Return the newest run."""
        chosen = f"{labels.NUMBER}" + (
            f",{labels.PROJECT}={project}" if project else ""
        )
        number = max(
            map(listing.number_of, listing.known(self, self.namespace, chosen)),
            default=None,
        )
        if number is None:
            kept = archive.runs(self.store, self.user, Query(project=project))
            number = max((run.number for run in kept if run.number), default=None)
        if number is None:
            raise NotFoundError(
                "there are no experiments yet", "`riseml train` starts one."
            )
        return Id(number=number)

    def changes(self, run: Id) -> Iterator[SetStatus | ExperimentStatus]:
        """Yield the run's status, or its experiment's, now and after every change until it has ended."""
        last = None
        for whole in self.looks(run):
            shown = part(whole, run)
            if shown != last:
                last = shown
                yield shown
            if shown.state.is_terminal:
                return

    def looks(self, run: Id) -> Iterator[SetStatus]:
        """Yield the run again whenever something has changed, also after the cluster was away for a while."""
        away = 0.0
        while True:
            try:
                documents = self.documents(run)
                away = 0.0
                whole = self._followed(documents)
                yield whole
                yield from self._watched(
                    documents, _WATCH if whole.state is State.RUNNING else _SHORT
                )
            except UnreachableError:
                away = away or time.monotonic()
                if time.monotonic() - away > _PATIENCE:
                    raise
                time.sleep(_PAUSE)
            except NotFoundError:
                # It has ended, and its Workflow is gone
                yield self.read(run)
                return

    def logs(self, query: LogQuery) -> Iterator[Chunk | Change]:
        """Replay and follow what jobs wrote."""
        from riseml.engines.argo.logs import follow  # noqa: PLC0415

        return follow(self, query)

    def open_tensorboard(
        self, run: Id, port: int, tell: Callable[[str], None]
    ) -> "Forwarding | None":
        """Return a way to the TensorBoard of a run through a port of this machine, None where it runs none."""
        from riseml.engines.argo import tensorboard  # noqa: PLC0415

        return tensorboard.way(self, run, port, tell)

    def image_key(
        self,
        plan: "ExperimentSet",
        revision: str,
        environment: Mapping[str, str],
        base: str | None = None,
    ) -> "ImageKey":
        """Return the key of a plan's image."""
        del environment
        return self._images().key(plan, self.home, revision, base)

    def image(self, key: "ImageKey") -> str | None:
        """Return the image that the registry has for a key."""
        return self._images().build(key).image

    def evidence(self, run: Id) -> "Evidence":
        """Return what explains the state of a run, or of a part of it; without logs."""
        from riseml.engines.argo.evidence import gather  # noqa: PLC0415
        from riseml.status.select import pick  # noqa: PLC0415

        whole, documents = self._seen(run)
        return gather(
            self.api, self.namespace_of(run), documents, whole, pick(whole, run)
        )

    def volume(self, name: str) -> "StoreVolume":
        """Return what jobs see as `/data` or `/output`: all of it."""
        from riseml.engines.argo.volume import StoreVolume  # noqa: PLC0415

        return StoreVolume(self.store, f"/{name}")

    def events(self, run: Id, folder: Path) -> Callable[[], bool]:
        """Return what brings to `folder` what TensorBoard reads of a run or experiment."""
        from riseml.engines.argo import tensorboard  # noqa: PLC0415

        whole = self.read(Id(run.user, run.number))
        shown = part(whole, run)
        place = (
            live_results.folder(whole, shown)
            if isinstance(shown, ExperimentStatus)
            else live_results.run_folder(whole)
        )
        return partial(tensorboard.fetch, self.store_of(run), place, folder)

    # How it is done

    def _images(self) -> "Images":
        from riseml.engines.argo.images import Images  # noqa: PLC0415

        return Images(self.api, self.namespace, self.store, self.place.target)

    def _seen(self, run: Id) -> tuple[SetStatus, list_[Object]]:
        """Return one run in full, and its Workflows: none where the archive is all there is."""
        try:
            documents = self.documents(run)
        except NotFoundError:
            found = archive.read(self.store_of(run), run)
            if found is None:
                raise
            return found, []
        whole = self._completed(
            documents, shards.merged([status.read(each) for each in documents])
        )
        return replace(whole, page=self._page(documents[0]["metadata"])), documents

    def _page(self, workflow: Object) -> str | None:
        """Return where a browser sees a Workflow, None where no Argo Server is known."""
        server = self.api.connection.argo
        return (
            f"{server}/workflows/{workflow['namespace']}/{workflow['name']}"
            if server
            else None
        )

    def _watched(self, documents: list_[Object], seconds: int) -> Iterator[SetStatus]:
        """Yield the run after every change of one of its Workflows, until the watch ends."""
        known = {each["metadata"]["name"]: each for each in documents}
        first = documents[0]["metadata"]
        for kind, changed in self.api.watch(
            path("workflows", first["namespace"]),
            version=max(
                (each["metadata"]["resourceVersion"] for each in documents), key=int
            ),
            seconds=seconds,
            labelSelector=f"{labels.NUMBER}={first['labels'][labels.NUMBER]}",
        ):
            if kind == "DELETED":
                raise NotFoundError(
                    f"the Workflow {changed['metadata']['name']} was deleted"
                )
            if kind == "ERROR":
                # Too old: look anew
                return
            if kind in {"ADDED", "MODIFIED"}:
                known[changed["metadata"]["name"]] = changed
                yield self._followed(sorted(known.values(), key=shards.order))

    def _followed(self, documents: list_[Object]) -> SetStatus:
        """Return a run for somebody who follows it: what costs more to know only once it has ended."""
        whole = shards.merged([status.read(each) for each in documents])
        if whole.state.is_terminal:
            return self._completed(documents, whole)
        return (
            whole
            if whole.state is State.RUNNING
            else pods.explained(self.api, self.namespace, documents, whole, now())
        )

    def _completed(self, documents: list_[Object], whole: SetStatus) -> SetStatus:
        namespace = documents[0]["metadata"]["namespace"]
        store = self._store_in(namespace)
        whole = live_results.with_results(store, whole)
        whole = pods.explained(self.api, namespace, documents, whole, now())
        if whole.state.is_terminal:
            archive.keep(self.api, namespace, store, documents, whole)
        return whole

    def workflows(self, whole: SetStatus) -> list_[str]:
        """Return the names of all Workflows of a run."""
        count = max(len(whole.experiments), 1)
        stem = whole.name.removesuffix("-s1")
        return (
            [whole.name]
            if stem == whole.name
            else [f"{stem}-s{n}" for n in range(1, min(count, shards.MOST) + 1)]
        )

    def namespace_of(self, run: Id) -> str:
        """Return the namespace that a run lies in."""
        return (
            self.namespace if run.user in (None, self.user) else namespace_of(run.user)
        )

    def store_of(self, run: Id) -> StorePod:
        """Return the store of the user whose run it is."""
        return self._store_in(self.namespace_of(run))

    def _store_in(self, namespace: str) -> StorePod:
        return (
            self.store if namespace == self.namespace else StorePod(self.api, namespace)
        )


def part(whole: SetStatus, run: Id) -> SetStatus | ExperimentStatus:
    """Return what of a run an id names: all of it, or one experiment."""
    if run.sub is None:
        return whole
    for experiment in whole.experiments:
        if experiment.sub == run.sub or (experiment.sub is None and run.sub == 1):
            return experiment
    raise NotFoundError(
        f"there is no experiment {run}",
        f"`riseml status {run.number}` lists what there is.",
    )


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
