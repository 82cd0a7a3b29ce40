"""Reader of a cluster's Workflow documents: finds, lists and watches those of a run.

A run has one Workflow, or several with the same number if a set is too large for one
(`shards.py`).
"""

from collections.abc import Iterable, Iterator, Sequence

from riseml import labels
from riseml.cluster import namespace_of
from riseml.cluster.api import CACHED, Api, Object, path
from riseml.cluster.user_namespace import UserNamespace
from riseml.engines.argo import shards
from riseml.errors import NotAllowedError, NotFoundError
from riseml.ids import Id
from riseml.status import SetStatus

RUNS = f"{labels.NUMBER},!{labels.RESUBMITTED}"
"""Selector of the Workflows of all runs. A copy of one has its number, but ends at once."""

# Documents have about 100 kB. Each request costs the API server a look at all Workflows.
_RUNS_PER_REQUEST = 50
_KIND = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}


class Workflows:
    """The Workflows that a user may read: their own, and others' if the cluster allows it."""

    def __init__(self, api: Api, user: str, user_namespace: UserNamespace) -> None:
        self.api, self.user = api, user
        self.namespace = user_namespace.namespace
        self.user_namespace = user_namespace

    def namespace_of(self, run: Id) -> str:
        """Return the namespace of a run."""
        if run.user in (None, self.user):
            return self.namespace
        return namespace_of(run.user)

    def documents(self, run: Id) -> list[Object]:
        """Return all Workflows of a run, in the order of their shards.

        Raises:
            NotAllowedError: the user may not read another user's runs.
            NotFoundError: the run has no Workflow, or no longer has one.
        """
        try:
            documents = self._find(run)
        except NotAllowedError:
            if run.user in (None, self.user):
                raise
            raise no_access(f"{run.user}'s experiments") from None
        if not documents:
            raise NotFoundError(
                f"there is no run {Id(run.user, run.number)}",
                "`riseml status -a` lists all runs.",
            )
        # Items of a list lack the fields that name their kind.
        documents = [{**_KIND, **document} for document in documents]
        return sorted(documents, key=shards.order)

    def _find(self, run: Id) -> list[Object]:
        if not run.number:
            return []
        workflows = path("workflows", self.namespace_of(run))
        selector = run_selector(run.number)
        cached = self.api.items(
            workflows, labelSelector=selector, resourceVersion=CACHED
        )
        # The API server's cache may not have a run that was just submitted.
        return list(cached) or list(self.api.items(workflows, labelSelector=selector))

    def metadata(self, namespace: str, selector: str = RUNS) -> list[Object]:
        """Return the metadata of a user's Workflows that a label selector matches.

        They come from the API server's cache unless it lacks the newest run: reading
        all of them from the cluster's database takes seconds if there are a thousand.
        """
        workflows = path("workflows", namespace)
        cached = list(
            self.api.items(
                workflows,
                metadata=True,
                labelSelector=selector,
                resourceVersion=CACHED,
            )
        )
        newest = 0
        if namespace == self.namespace:
            newest = self.user_namespace.number - 1
        # Another process may start a run before the counter is needed again.
        self.user_namespace.forget()
        # A selector for a project rightly leaves out newer runs of other projects.
        is_current = max(map(number_of, cached), default=0) >= newest
        if is_current or selector != RUNS:
            return cached
        return list(self.api.items(workflows, metadata=True, labelSelector=selector))

    def in_full(self, shards_of_run: Sequence[Object]) -> list[Object]:
        """Return the complete documents of a run's Workflows, given their metadata."""
        first = shards_of_run[0]
        workflows = path("workflows", first["metadata"]["namespace"])
        selector = run_selector(number_of(first))
        return list(
            self.api.items(workflows, labelSelector=selector, resourceVersion=CACHED)
        )

    def of_runs(self, namespace: str, numbers: Iterable[int]) -> Iterator[list[Object]]:
        """Yield the complete documents of each of a user's runs, in the order of their shards.

        Runs that no longer have a Workflow are left out.
        """
        remaining = list(numbers)
        workflows = path("workflows", namespace)
        while remaining:
            requested = ",".join(map(str, remaining[:_RUNS_PER_REQUEST]))
            del remaining[:_RUNS_PER_REQUEST]
            by_number: dict[int, list[Object]] = {}
            for document in self.api.items(
                workflows,
                labelSelector=f"{labels.NUMBER} in ({requested}),!{labels.RESUBMITTED}",
                resourceVersion=CACHED,
            ):
                by_number.setdefault(number_of(document), []).append(document)
            for documents in by_number.values():
                yield sorted(documents, key=shards.order)

    def watch(
        self, documents: Sequence[Object], seconds: int
    ) -> Iterator[list[Object]]:
        """Yield a run's documents after each change of one of them, for some seconds.

        Raises:
            NotFoundError: a Workflow was deleted.
            UnreachableError: the connection broke.
        """
        by_name = {}
        versions = []
        for document in documents:
            metadata = document["metadata"]
            by_name[metadata["name"]] = document
            versions.append(int(metadata["resourceVersion"]))
        first = documents[0]["metadata"]
        events = self.api.watch(
            path("workflows", first["namespace"]),
            version=str(max(versions)),
            seconds=seconds,
            labelSelector=run_selector(number_of(documents[0])),
        )
        for kind, changed in events:
            if kind == "DELETED":
                name = changed["metadata"]["name"]
                raise NotFoundError(f"the Workflow {name} was deleted")
            if kind == "ERROR":
                # The resource version is too old: the caller has to read again.
                return
            if kind in {"ADDED", "MODIFIED"}:
                by_name[changed["metadata"]["name"]] = changed
                yield sorted(by_name.values(), key=shards.order)


def run_selector(number: int) -> str:
    """Return the selector of the Workflows of a run."""
    return f"{labels.NUMBER}={number},!{labels.RESUBMITTED}"


def number_of(workflow: Object) -> int:
    """Return the number of the run that a Workflow belongs to."""
    return int(workflow["metadata"]["labels"][labels.NUMBER])


def names_of(run: SetStatus) -> list[str]:
    """Return the names of all Workflows of a run, as far as they are known."""
    return [shard.name for shard in run.workflows]


def pod_selector(names: Iterable[str], *more_labels: str) -> str:
    """Return the label selector of the pods of Workflows that also have other labels."""
    return ",".join([f"{labels.WORKFLOW} in ({','.join(names)})", *more_labels])


def no_access(runs: str) -> NotAllowedError:
    """Return the error for a user who may not see others' runs."""
    return NotAllowedError(
        f"you may not see {runs}", "Administrators can see all experiments."
    )
