"""What the parts of one document call each other: derived from plan, origin and target, once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from riseml import labels
from riseml.compiler import quotes
from riseml.compiler.text import kept, reference
from riseml.plan import ExperimentSet, Origin, Target

# Characters of a host name, and of a label's value
_LIMIT = 63
# Characters that Kubernetes appends to generateName
_GENERATED = 5


@dataclass(frozen=True)
class Names:
    """The names in the document of one plan."""

    plan: ExperimentSet
    origin: Origin
    target: Target

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The user's parameters, in their order."""
        return tuple(self.plan.experiments[0].parameters)

    @property
    def builds(self) -> bool:
        """Whether install steps have to run: there are some, and no image has them already."""
        return bool(self.plan.install) and not (
            self.origin.build and self.origin.build.image
        )

    @property
    def image(self) -> str:
        """The image of the user's jobs."""
        if self.builds:
            return reference(labels.IMAGE_PARAMETER)
        return (self.origin.build and self.origin.build.image) or self.plan.image

    @cached_property
    def handed_down(self) -> tuple[str, ...]:
        """The parameters that go unchanged from the set to its experiments."""
        return (labels.IMAGE_PARAMETER,) if self.builds else ()

    @cached_property
    def forms(self) -> dict[str, str | None]:
        """How each parameter is quoted in YAML; None where every item brings its own quoted text."""
        experiments = self.plan.experiments
        return {
            name: quotes.form(e.parameters[name] for e in experiments)
            for name in self.parameters
        }

    @cached_property
    def tags(self) -> dict[str, str]:
        """What stands for each parameter in what a job is given."""
        return {name: kept(name, self.values(name)) for name in self.parameters}

    def values(self, name: str) -> Iterator[str]:
        """Yield the values of a parameter."""
        return (experiment.parameters[name] for experiment in self.plan.experiments)

    @cached_property
    def hard(self) -> tuple[str, ...]:
        """The parameters with values that need quoting one by one."""
        return tuple(name for name, form in self.forms.items() if form is None)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The parameters that an experiment and its jobs take."""
        return (
            labels.SUB_PARAMETER,
            *self.handed_down,
            *self.parameters,
            *map(quotes.companion, self.hard),
        )

    def host(self, job: str) -> str:
        """The host name of a job such as `worker.1`, and of its pod."""
        workflow = self.workflow or "{{workflow.name}}"
        attempt = (
            f"-{self.attempt}" if self.retried_whole else ""
        )  # the former ones may still be about
        return f"{workflow}-{reference(labels.SUB_PARAMETER)}{attempt}-{job.replace('.', '-', 1)}"

    def address(self, job: str) -> str:
        """The name by which the other jobs of an experiment reach a job."""
        return f"{self.host(job)}.{labels.SUBDOMAIN}"

    @property
    def base(self) -> str:
        """The image that install steps start from, with its digest where that is known."""
        return (self.origin.build.base if self.origin.build else "") or self.plan.image

    @property
    def is_gang(self) -> bool:
        """Whether an experiment has several jobs."""
        return self.plan.is_gang

    @property
    def retried_whole(self) -> bool:
        """Whether all jobs of an experiment are tried again when one has failed."""
        return self.is_gang and self.plan.retries.count > 0

    @property
    def attempt(self) -> str:
        """Which attempt a job is part of, counted from 0."""
        if not self.plan.retries.count:
            return "0"
        return reference(labels.ATTEMPT_PARAMETER) if self.is_gang else "{{retries}}"

    @cached_property
    def meets(self) -> bool:
        """Whether the jobs of an experiment look for each other, or themselves, by name."""
        return self.is_gang or any(
            "{{host." in text
            for job in self.plan.jobs
            for text in job.framework_env.values()
        )

    @cached_property
    def stem(self) -> str:
        """The project as Kubernetes allows it in names, so short that the longest host name still fits."""
        number = (
            "x" * _GENERATED if self.origin.number is None else str(self.origin.number)
        )
        sub = max(experiment.sub for experiment in self.plan.experiments)
        jobs = (job.names[-1] for job in self.plan.jobs)
        attempt = f"-{self.plan.retries.count}" if self.retried_whole else ""
        longest = max(
            len(f"-{number}{self._shard}-{sub}{attempt}-{job}") for job in jobs
        )
        stem = re.sub("[^a-z0-9]+", "-", self.plan.project.lower())
        return stem[: _LIMIT - longest].strip("-") or "riseml"

    @property
    def workflow(self) -> str | None:
        """The Workflow's name, None where Kubernetes is to make one."""
        return (
            None
            if self.origin.number is None
            else f"{self.stem}-{self.origin.number}{self._shard}"
        )

    @property
    def _shard(self) -> str:
        return f"-s{self.origin.shard.index}" if self.origin.shard else ""

    @property
    def number(self) -> str:
        """The run's number, or what stands for it in a document without one."""
        return (
            "{{workflow.name}}"
            if self.origin.number is None
            else str(self.origin.number)
        )

    @property
    def experiment(self) -> str:
        """The canonical id of an experiment, without the user."""
        return (
            f"{self.number}.{reference(labels.SUB_PARAMETER)}"
            if self.plan.is_set
            else self.number
        )

    @property
    def run_path(self) -> str:
        """Where in the output volume the run has its folder."""
        return "/".join(
            filter(None, (self.origin.user, self.plan.project, self.number))
        )

    @property
    def output_path(self) -> str:
        """Where in the output volume an experiment has its folder."""
        return (
            f"{self.run_path}/{reference(labels.SUB_PARAMETER)}"
            if self.plan.is_set
            else self.run_path
        )


def label(text: str) -> str:
    """Return text as a label's value may be: short, of few characters, with a letter or digit at both ends."""
    return re.sub("[^A-Za-z0-9._-]", "-", text)[:_LIMIT].strip("-_.")
