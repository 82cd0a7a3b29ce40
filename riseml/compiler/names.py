"""Names within one document, each derived once from plan, origin and target."""

import re
from collections.abc import Iterable
from functools import cached_property
from operator import attrgetter

from riseml import labels, queues
from riseml.compiler import quotes
from riseml.compiler.text import reference, safe_reference
from riseml.dataclass import dataclass, replace
from riseml.plan import Build, BuildStep, Experiment, ExperimentSet, Origin, Target

RUNGS = "rungs"
# Kubernetes limits host names and values of labels to this length.
_MAX_LENGTH = 63
# Kubernetes appends this many characters to generateName.
_GENERATED_LENGTH = 5
_LARGEST_SUB = 999_999
# It stands for a value that nobody knows yet: it has everything that needs an escape.
_ANY_TEXT = "$(A) \"'\n"
# It stands for the build of a plan that has none, so that its fields need no checks.
_NO_BUILD = Build(key="")


@dataclass(frozen=True)
class Names:
    """The names in the document of one plan."""

    plan: ExperimentSet
    origin: Origin
    target: Target

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The user's parameters, in their order."""
        return self.plan.parameters

    @property
    def builds(self) -> bool:
        """Whether install steps have to run because no image has their results."""
        # Only the local engine prepares something for a plan without steps: an environment
        # for one that is isolated, and an image that has to be pulled.
        is_needed = self.plan.install or self.origin.build
        return bool(is_needed) and not self._build.image

    @property
    def image(self) -> str:
        """The image of the user's jobs."""
        if self.builds:
            return reference(labels.IMAGE_PARAMETER)
        return self._build.image or self.plan.image

    @property
    def key_to_build(self) -> str:
        """The key under which the image is kept that is built, empty if none is."""
        is_built = self.plan.install or self.plan.isolated
        # An image that is only pulled keeps its name.
        return self._build.key if self.builds and is_built else ""

    @property
    def _build(self) -> Build:
        return self.origin.build or _NO_BUILD

    @cached_property
    def handed_down(self) -> tuple[str, ...]:
        """The parameters that the set passes unchanged to its experiments."""
        return (labels.IMAGE_PARAMETER,) if self.builds else ()

    @cached_property
    def for_search(self) -> "Names":
        """The names of a plan that builds the image of the job that chooses parameters."""
        plan = self.plan.for_search
        build = self.origin.search_build
        if build is None and plan.install:
            build = Build(key="", steps=tuple(map(BuildStep, plan.install)))
        return Names(plan, replace(self.origin, build=build), self.target)

    @property
    def search_inputs(self) -> tuple[str, ...]:
        """The parameters that the set passes unchanged to the job that chooses parameters."""
        return (labels.SEARCH_IMAGE_PARAMETER,) if self.for_search.builds else ()

    @property
    def search_image(self) -> str:
        """The image of the job that chooses parameters."""
        if self.for_search.builds:
            return reference(labels.SEARCH_IMAGE_PARAMETER)
        return self.for_search.image

    @cached_property
    def quoting(self) -> dict[str, str | None]:
        """How each parameter is quoted in YAML; None if each item brings quoted text."""
        return {name: quotes.form(self.values(name)) for name in self.parameters}

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tag that stands for each parameter in what a job is given."""
        return {
            name: safe_reference(name, self.values(name)) for name in self.parameters
        }

    def values(self, name: str) -> Iterable[str]:
        """Yield the values of a parameter, or texts of the same forms if a job will choose them."""
        if self.plan.rounds:
            return self.plan.rounds.space[name].samples
        values = [experiment.parameters[name] for experiment in self.plan.experiments]
        return [*values, _ANY_TEXT] if self.origin.takes_arguments else values

    @cached_property
    def individually_quoted(self) -> tuple[str, ...]:
        """The parameters whose values need different quoting."""
        return tuple(name for name, form in self.quoting.items() if form is None)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The parameters of an experiment and its jobs."""
        bracket = (labels.BRACKET_PARAMETER,) if self.has_brackets else ()
        return (
            labels.SUB_PARAMETER,
            *bracket,
            *self.continued,
            *self.handed_down,
            *self.parameters,
            *map(quotes.companion, self.individually_quoted),
        )

    @property
    def has_brackets(self) -> bool:
        """Whether experiments compete in several brackets."""
        early_stop = self.plan.early_stop
        return early_stop is not None and early_stop.brackets > 1

    @cached_property
    def continued(self) -> tuple[str, ...]:
        """RiseML's parameters of experiments that continue others, or run again."""
        parameters = []
        if any(experiment.attempts for experiment in self.plan.experiments):
            parameters.append(labels.EARLIER_PARAMETER)
        if self.resumes:
            parameters.append(labels.RESUME_PARAMETER)
        return tuple(parameters)

    @cached_property
    def resumes(self) -> bool:
        """Whether experiments find the output of others at /resume."""
        return self.plan.experiments[0].resume is not None

    def host(self, job: str) -> str:
        """The host name of a job such as `worker.1`, and of its pod."""
        return f"{self._prefix}-{job.replace('.', '-', 1)}"

    @property
    def _prefix(self) -> str:
        """What the host names of an experiment's jobs begin with."""
        workflow = self.workflow or "{{workflow.name}}"
        sub = reference(labels.SUB_PARAMETER)
        # Pods of the previous attempt may still exist.
        attempt = f"-{self.attempt}" if self.retries_gang else ""
        return f"{workflow}-{sub}{attempt}"

    def address(self, job: str) -> str:
        """The name by which the other jobs of an experiment reach a job."""
        return f"{self.host(job)}.{labels.SUBDOMAIN}"

    @property
    def base(self) -> str:
        """The image that install steps start from, with its digest if that is known."""
        return self._build.base or self.plan.image

    @property
    def is_gang(self) -> bool:
        """Whether an experiment has several jobs."""
        return self.plan.is_gang

    @property
    def retries_gang(self) -> bool:
        """Whether all jobs of an experiment are retried when one has failed."""
        return self.is_gang and self.plan.retries.count > 0

    @cached_property
    def queue_request(self) -> queues.Request:
        """What the jobs ask of the cluster's queue."""
        plan = self.plan
        if self.origin.runner:
            # One machine has no queues and no priority classes.
            return queues.Request()
        if not self.is_gang:
            return queues.Request(plan.queue, plan.priority)
        group = self._prefix
        if self.retries_gang and queues.repeats_groups(self.target.queue):
            group = group.removesuffix(f"-{self.attempt}")
        members = sum(map(attrgetter("count"), plan.jobs))
        return queues.Request(plan.queue, plan.priority, group, members)

    @property
    def starts_together(self) -> bool:
        """Whether the cluster's queue starts all jobs of an experiment or none."""
        return self.is_gang and queues.is_used(self.target.queue, self.queue_request)

    @property
    def may_release(self) -> bool:
        """Whether a gang may have to give its resources back before all of it has started."""
        is_one_machine = bool(self.origin.runner)
        return self.is_gang and not is_one_machine and not self.starts_together

    @property
    def attempt(self) -> str:
        """The attempt of which a job is part, counted from 0."""
        if not self.plan.retries.count:
            return "0"
        return reference(labels.ATTEMPT_PARAMETER) if self.is_gang else "{{retries}}"

    @cached_property
    def needs_host_names(self) -> bool:
        """Whether jobs of an experiment are reached by a host name."""
        values: list[str] = []
        for job in self.plan.jobs:
            values += job.framework_env.values()
        return self.is_gang or "{{host." in "\n".join(values)

    @cached_property
    def stem(self) -> str:
        """The project as part of names, short enough for the longest host name."""
        generated = "x" * _GENERATED_LENGTH
        number = generated if self.origin.number is None else self.origin.number
        attempt = f"-{self.plan.retries.count}" if self.retries_gang else ""
        prefix = f"-{number}{self._shard}-{self._largest_sub}{attempt}-"
        # The last job of a type has the most digits.
        job_length = max(len(job.names[-1]) for job in self.plan.jobs)
        stem = re.sub("[^a-z0-9]+", "-", self.plan.project.lower())
        return stem[: _MAX_LENGTH - len(prefix) - job_length].strip("-") or "riseml"

    @property
    def _largest_sub(self) -> int:
        shard = self.origin.shard
        if shard and shard.is_added:
            # Two commands that add a shard with different experiments give it the same
            # name, so that only one of them succeeds.
            return _LARGEST_SUB
        return max(experiment.sub for experiment in self.plan.experiments)

    @property
    def workflow(self) -> str | None:
        """The Workflow's name, None if Kubernetes generates one."""
        if self.origin.number is None:
            return None
        return f"{self.stem}-{self.origin.number}{self._shard}"

    @property
    def _shard(self) -> str:
        return f"-s{self.origin.shard.index}" if self.origin.shard else ""

    @property
    def number(self) -> str:
        """The run's number, or the tag of the Workflow's name if there is none."""
        if self.origin.number is None:
            return "{{workflow.name}}"
        return str(self.origin.number)

    @property
    def experiment(self) -> str:
        """The canonical id of an experiment, without the user."""
        if not self.plan.is_set:
            return self.number
        return f"{self.number}.{reference(labels.SUB_PARAMETER)}"

    @property
    def run_path(self) -> str:
        """The folder of the run in the output volume."""
        parts = (self.origin.user, self.plan.project, self.number)
        return "/".join(filter(None, parts))

    @property
    def rungs_path(self) -> str:
        """The folder in the output volume through which the experiments of a set compete."""
        return f"{self.run_path}/{RUNGS}"

    @property
    def output_path(self) -> str:
        """The folder of an experiment in the output volume."""
        return self._output_path(reference(labels.SUB_PARAMETER))

    def resume_path(self, experiment: Experiment) -> str:
        """Return the folder in the output volume that an experiment finds at /resume."""
        if experiment.resume:
            return experiment.resume
        # Nothing is written there.
        return f"{self._output_path(str(experiment.sub))}/{labels.EMPTY_FOLDER}"

    def _output_path(self, sub: str) -> str:
        return f"{self.run_path}/{sub}" if self.plan.is_set else self.run_path


def label(text: str) -> str:
    """Return text in the form of a label's value.

    Kubernetes requires a short text of few characters, with a letter or digit at both
    ends.
    """
    return re.sub("[^A-Za-z0-9._-]", "-", text)[:_MAX_LENGTH].strip("-_.")
