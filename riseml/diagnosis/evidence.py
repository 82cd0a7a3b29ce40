"""Evidence about a run, and the causes that explanations derive from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import filterfalse
from operator import methodcaller
from typing import Any, Self

from riseml import events, labels
from riseml.dataclass import dataclass, field, replace
from riseml.job_python import Interpreter
from riseml.plan import Resources
from riseml.settings import PROCESS
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

Object = Mapping[str, Any]

PREEMPTED = "Preempted"
"""Reason of the scheduler's event about a pod that it preempts."""

# Repeated warnings about one pod would otherwise bury the first ones.
_MOST_WARNINGS = 8
LOG_LINES = 6
"""Enough for the end of a traceback; `riseml logs` shows the full log."""


@dataclass(frozen=True)
class Holder:
    """A process that listens at a port, and the experiment that it belongs to, if any."""

    port: int
    experiment: str = ""
    command: str = ""


@dataclass(frozen=True)
class MemoryLimit:
    """The memory limit at which a job failed, in bytes, and the most that it used at once.

    The limit of a group holds for all processes of the job together, another one for
    each of them. `peak` is None if it is not known.
    """

    limit: int
    is_group: bool
    peak: int | None = None


@dataclass(frozen=True)
class Surroundings:
    """Facts about what the log of a failed job complains about.

    `data_files` and `outside_files` map missing paths to files that exist: in the data
    volume, and in folders above the project's. `new_files` are missing paths that the
    project's folder has now. `code` holds the files of the run's revision, and `own_code`
    the folders with Python code that the snapshot left out. `holders` maps jobs to who
    held their port, and `memory_limits` to the limits at which they failed.
    """

    data_files: Mapping[str, str] = field(default_factory=dict)
    outside_files: Mapping[str, str] = field(default_factory=dict)
    new_files: frozenset[str] = frozenset()
    code: frozenset[str] = frozenset()
    own_code: frozenset[str] = frozenset()
    python: Interpreter | None = None
    holders: Mapping[str, Holder | None] = field(default_factory=dict)
    memory_limits: Mapping[str, MemoryLimit | None] = field(default_factory=dict)


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
    def builds_image(self) -> bool:
        """Whether install steps make an image on one machine, and no environment."""
        return self.run.runner not in ("", PROCESS)

    @property
    def recreate_advice(self) -> str:
        """The advice for an object that the user's namespace lacks."""
        return f"An administrator can recreate it: `riseml user update --username {self.run.user}`."

    def pod_of(self, node: str) -> Object | None:
        """Return the pod of a node of the Workflow, or None."""
        for pod in self.pods:
            if pod["metadata"].get("annotations", {}).get(labels.NODE_ID) == node:
                return pod
        return None

    def warnings(self, node: str) -> list[str]:
        """Return the warnings about the pod of a node, newest first, without repeats."""
        pod = self.pod_of(node)
        if pod is None:
            return []
        pod_name = pod["metadata"]["name"]
        texts = []
        for event in sorted(self.events, key=events.time_of, reverse=True):
            is_about_pod = event.get("involvedObject", {}).get("name") == pod_name
            if is_about_pod and event.get("type") == "Warning":
                texts.append(events.line_of(event))
        # Kubernetes repeats a warning with each retry.
        return list(dict.fromkeys(texts))[:_MOST_WARNINGS]

    def preemptions(self, node: str) -> list[str]:
        """Return what the scheduler wrote when it preempted the pod of a node.

        That pod may be gone. Its name ends as the id of the node does.
        """
        _, _, ending = node.rpartition("-")
        texts = []
        for event in self.events:
            name = str(event.get("involvedObject", {}).get("name", ""))
            is_about_pod = ending and name.endswith(f"-{ending}")
            if event.get("reason") == PREEMPTED and is_about_pod:
                texts.append(events.line_of(event))
        return texts

    def log(self, job: str) -> tuple[str, ...]:
        """Return the last lines that a job wrote, without blank ones and lines between attempts."""
        lines = self.logs.get(job, ())
        is_of_run_script = methodcaller("startswith", _OF_RUN_SCRIPT)
        return tuple(filterfalse(is_of_run_script, filter(str.strip, lines)))

    def log_end(self, job: str) -> tuple[str, ...]:
        """Return the last few of these lines."""
        return self.log(job)[-LOG_LINES:]


# The run script writes these lines between attempts, and around a hold.
_OF_RUN_SCRIPT = (
    "riseml: attempt ",
    "riseml: failed with exit code ",
    "riseml: the hold has ended",
)


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
    def experiment_jobs(self) -> Sequence[JobStatus]:
        """The jobs of the experiment, none for a job of no experiment."""
        return self.experiment.jobs if self.experiment else ()

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
