"""What is known of a run and its surroundings, and what is made of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

Object = Mapping[str, Any]

# Quoted lines of one source
_MOST = 8


@dataclass(frozen=True)
class Evidence:
    """A run, the part of it that was asked for, and what its engine can see around it.

    The rest is Kubernetes' own data: the run's Workflows and pods, the events about them, the claims of the namespace;
    empty on other engines, and where the user may not look. `logs` are the last lines of jobs.
    """

    run: SetStatus
    subject: SetStatus | ExperimentStatus | JobStatus
    engine: str = "argo"
    documents: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    claims: Sequence[Object] = ()
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether jobs are processes of this machine."""
        return self.engine == "local"

    @property
    def anew(self) -> str:
        """What helps where something of the namespace is missing."""
        return f"An administrator makes it anew: `riseml user update --username {self.run.user}`."

    def pod_of(self, node: str) -> Object | None:
        """Return the pod of a node of the Workflow."""
        known = "workflows.argoproj.io/node-id"
        return next(
            (
                pod
                for pod in self.pods
                if pod["metadata"].get("annotations", {}).get(known) == node
            ),
            None,
        )

    def warnings(self, node: str) -> list[str]:
        """Return the warnings about the pod of a node, the newest first, none twice."""
        pod = self.pod_of(node)
        name = pod["metadata"]["name"] if pod else ""
        about = [
            each
            for each in self.events
            if each.get("type") == "Warning" and _about(each) == name != ""
        ]
        texts = [
            f"{each.get('reason', '')}: {_line(each.get('message'))}"
            for each in sorted(about, key=_time)
        ]
        return list(dict.fromkeys(reversed(texts)))[:_MOST]

    def log(self, job: str) -> tuple[str, ...]:
        """Return the last lines that a job has written."""
        return tuple(line for line in self.logs.get(job, ()) if line.strip())


@dataclass(frozen=True)
class Subject:
    """What has to be explained: a job of an experiment, or an experiment none of whose jobs is there."""

    id: str
    state: State
    reason: str
    message: str = ""
    exit_code: int | None = None
    node: str = ""
    resources: Resources | None = None
    job: str = ""
    experiment: ExperimentStatus | None = None

    @classmethod
    def of_job(cls, job: JobStatus, experiment: ExperimentStatus | None) -> Self:
        """Return a job, seen as part of its experiment."""
        return cls(
            job.id,
            job.state,
            job.reason,
            job.message,
            job.exit_code,
            job.node_id,
            job.resources,
            job.id,
            experiment,
        )

    @classmethod
    def of_experiment(cls, one: ExperimentStatus) -> Self:
        """Return an experiment."""
        return cls(
            one.id, one.state, one.reason, one.message, one.exit_code, experiment=one
        )

    @classmethod
    def of_run(cls, whole: SetStatus) -> Self:
        """Return a run."""
        return cls(whole.id, whole.state, whole.reason, whole.message)


@dataclass(frozen=True)
class Cause:
    """Why: in one sentence, with the words that say so, and what to do.

    `kind` is the word of `riseml/status/reasons.py`, or a more precise one: RIGHTS, POLICY, CLAIM, SECRET; `ids` are
    all experiments or jobs that it holds for.
    """

    kind: str
    ids: tuple[str, ...]
    state: State
    explanation: str
    evidence: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()

    def also(self, ids: tuple[str, ...]) -> Self:
        """Return the same cause for further subjects."""
        return replace(self, ids=self.ids + ids)


def cause(
    subject: Subject, what: str, evidence: Sequence[str] = (), *fix: str, kind: str = ""
) -> Cause:
    """Return the cause for a subject; no line of evidence twice, and no empty one."""
    lines = tuple(
        dict.fromkeys(_line(line) for line in evidence if line and line.strip())
    )
    return Cause(
        kind or subject.reason or str(subject.state),
        (subject.id,),
        subject.state,
        what,
        lines,
        fix,
    )


def simply(what: str, *fix: str) -> Callable[[Evidence, Subject], Cause]:
    """Return what explains a word for which the message is all the evidence."""

    def explain(_: Evidence, subject: Subject) -> Cause:
        return cause(subject, what, [subject.message], *fix)

    return explain


def waiting_containers(pod: Object | None) -> Iterator[str]:
    """Yield what containers of a pod that have not begun say of it."""
    status = pod["status"] if pod else {}
    for each in (
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    ):
        told = each.get("state", {}).get("waiting", {})
        if told.get("message"):
            yield f"{told.get('reason', '')}: {_line(told['message'])}"


def _about(event: Object) -> str:
    return str(event.get("involvedObject", {}).get("name", ""))


def _time(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def _line(text: object) -> str:
    return " ".join(str(text or "").split())
