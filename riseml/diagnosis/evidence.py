"""Evidence about a run, and the causes that explanations derive from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from riseml import labels
from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

Object = Mapping[str, Any]

# Repeated warnings about one pod would otherwise bury the first ones.
_MOST_WARNINGS = 8
_NODE_ID = "workflows.argoproj.io/node-id"


@dataclass(frozen=True)
class Interpreter:
    """The Python that a job's commands find: its path, and its version such as 3.12.1."""

    path: str
    version: str


@dataclass(frozen=True)
class Holder:
    """A process that listens at a port, and the experiment that it belongs to, if any."""

    port: int
    experiment: str = ""
    command: str = ""


@dataclass(frozen=True)
class Surroundings:
    """Facts about what the log of a failed job complains about.

    `data_files` and `outside_files` map missing paths to files that exist: in the data
    volume, and in folders above the project's. `new_files` are missing paths that the
    project's folder has now. `code` holds the files of the run's revision, and `own_code`
    the folders with Python code that the snapshot left out. `holders` maps jobs to who
    held their port.
    """

    data_files: Mapping[str, str] = field(default_factory=dict)
    outside_files: Mapping[str, str] = field(default_factory=dict)
    new_files: frozenset[str] = frozenset()
    code: frozenset[str] = frozenset()
    own_code: frozenset[str] = frozenset()
    python: Interpreter | None = None
    holders: Mapping[str, Holder | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """A run, the part of it to explain, and what its engine can see around it.

    `has_cluster` is set by engines whose jobs are pods. Their evidence contains
    Kubernetes' own data: the run's Workflows and pods, the events about them, and the
    claims of the namespace. It lacks what the user may not read. On other engines jobs
    are processes of this machine, and these fields are empty. `logs` maps the ids of
    jobs to the last lines that they wrote. `surroundings` answers what these lines ask.
    """

    run: SetStatus
    subject: SetStatus | ExperimentStatus | JobStatus
    has_cluster: bool = False
    documents: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    claims: Sequence[Object] = ()
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    surroundings: Surroundings = field(default_factory=Surroundings)

    @property
    def recreate_advice(self) -> str:
        """The advice for an object that the user's namespace lacks."""
        return f"An administrator can recreate it: `riseml user update --username {self.run.user}`."

    def pod_of(self, node: str) -> Object | None:
        """Return the pod of a node of the Workflow, or None."""
        for pod in self.pods:
            if pod["metadata"].get("annotations", {}).get(_NODE_ID) == node:
                return pod
        return None

    def warnings(self, node: str) -> list[str]:
        """Return the warnings about the pod of a node, newest first, without repeats."""
        pod = self.pod_of(node)
        if pod is None:
            return []
        pod_name = pod["metadata"]["name"]
        texts = []
        for event in sorted(self.events, key=_event_time, reverse=True):
            is_about_pod = event.get("involvedObject", {}).get("name") == pod_name
            if is_about_pod and event.get("type") == "Warning":
                texts.append(
                    f"{event.get('reason', '')}: {one_line(event.get('message'))}"
                )
        # Kubernetes repeats a warning with each retry.
        return list(dict.fromkeys(texts))[:_MOST_WARNINGS]

    def log(self, job: str) -> tuple[str, ...]:
        """Return the last lines that a job wrote, without blank ones and lines between attempts."""
        lines = self.logs.get(job, ())
        return tuple(
            line
            for line in lines
            if line.strip() and not line.startswith(_BETWEEN_ATTEMPTS)
        )


# run.sh writes it.
_BETWEEN_ATTEMPTS = "riseml: attempt "


@dataclass(frozen=True)
class Subject:
    """Job to explain, or an experiment none of whose jobs exists yet."""

    id: str
    state: State
    reason: str
    message: str = ""
    exit_code: int | None = None
    node: str = ""
    resources: Resources | None = None
    job: str = ""
    experiment: ExperimentStatus | None = None
    attempts: tuple[JobStatus, ...] = ()

    @property
    def is_running_build(self) -> bool:
        """Whether this is the job that makes the image or environment, at work."""
        job_type = self.job.rpartition(".")[2]
        return job_type in labels.BUILD_TYPES and self.state is State.RUNNING

    @classmethod
    def of_job(cls, job: JobStatus, experiment: ExperimentStatus | None) -> Self:
        """Return the subject for a job, which may belong to an experiment."""
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
            job.attempts if job.earlier else (),
        )

    @classmethod
    def of_experiment(cls, experiment: ExperimentStatus) -> Self:
        """Return the subject for an experiment."""
        return cls(
            experiment.id,
            experiment.state,
            experiment.reason,
            experiment.message,
            experiment.exit_code,
            experiment=experiment,
        )

    @classmethod
    def of_run(cls, run: SetStatus) -> Self:
        """Return the subject for a run."""
        return cls(run.id, run.state, run.reason, run.message)


@dataclass(frozen=True)
class Cause:
    """Explanation in one sentence, the lines that prove it, and suggested fixes.

    `kind` is a word of `riseml/status/reasons.py`, or a more precise one: RIGHTS,
    POLICY, CLAIM, SECRET, EXCLUDED, FILE, MODULE, PORT. `ids` names all experiments or jobs that it applies to.
    `attempts` are those of a single job that had several.
    """

    kind: str
    ids: tuple[str, ...]
    state: State
    explanation: str
    evidence: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    attempts: tuple[JobStatus, ...] = ()

    def extended(self, ids: tuple[str, ...]) -> Self:
        """Return the same cause, for further experiments or jobs as well."""
        distinct = dict.fromkeys(self.ids + ids)
        return replace(self, ids=tuple(distinct), attempts=())


Explain = Callable[[Evidence, Subject], Cause]
"""Function that explains one reason."""


def cause(
    subject: Subject,
    explanation: str,
    evidence: Sequence[str] = (),
    *fix: str,
    kind: str = "",
) -> Cause:
    """Return the cause for a subject, without empty or repeated lines of evidence."""
    lines: list[str] = []
    for text in evidence:
        line = one_line(text)
        if line and [line] != [last.lstrip() for last in lines[-1:]]:
            lines.append(_indentation(text) + line)
    return Cause(
        kind=kind or subject.reason or str(subject.state),
        ids=(subject.id,),
        state=subject.state,
        explanation=explanation,
        evidence=tuple(lines),
        fix=fix,
        attempts=subject.attempts,
    )


def from_message(explanation: str, *fix: str) -> Explain:
    """Return a function that explains a reason with the subject's message alone."""

    def explain(_: Evidence, subject: Subject) -> Cause:
        return cause(subject, explanation, [subject.message], *fix)

    return explain


def waiting_containers(pod: Object | None) -> Iterator[str]:
    """Yield the reasons and messages of a pod's containers that have not started."""
    status = pod["status"] if pod else {}
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key, ()):
            waiting = container.get("state", {}).get("waiting", {})
            if waiting.get("message"):
                yield f"{waiting.get('reason', '')}: {one_line(waiting['message'])}"


def one_line(text: object) -> str:
    """Return a text with its whitespace collapsed, empty for None."""
    return " ".join(str(text or "").split())


def _indentation(text: str) -> str:
    """Return the blanks before a line, which belong to the traceback of a program."""
    return " " * (len(text) - len(text.lstrip(" ")))


def _event_time(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
