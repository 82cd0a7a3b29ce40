"""What the parts of one document call each other: derived from plan, origin and target, once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from riseml import labels
from riseml.compiler.text import reference
from riseml.spec import ExperimentSet, Origin, Target

HOST_LIMIT = 63  # a host name, and therefore the name of a Workflow
_GENERATED = 5  # characters that Kubernetes appends to generateName


@dataclass(frozen=True)
class Names:
    """The names in the document of one plan."""

    plan: ExperimentSet
    origin: Origin
    target: Target

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The user's parameters, in their order."""
        return tuple(self.plan.experiments[0].parameters) if self.plan.experiments else ()

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The parameters that an experiment and its jobs take."""
        built = (labels.IMAGE_PARAMETER,) if self.plan.install else ()
        return (labels.SUB_PARAMETER, *built, *self.parameters)

    @property
    def image(self) -> str:
        """The image of the user's jobs."""
        return reference(labels.IMAGE_PARAMETER) if self.plan.install else self.plan.image

    @cached_property
    def stem(self) -> str:
        """The project's part of host names, so short that the longest of them is allowed."""
        longest = self._longest_ending()
        stem = re.sub("[^a-z0-9-]", "-", self.plan.project.lower())
        return stem[: HOST_LIMIT - longest].strip("-") or "riseml"

    @property
    def workflow(self) -> str | None:
        """The Workflow's name, None where Kubernetes is to make one."""
        return None if self.origin.number is None else f"{self.stem}-{self.origin.number}"

    @property
    def number(self) -> str:
        """The run's number, or what stands for it in a document without one."""
        return "{{workflow.name}}" if self.origin.number is None else str(self.origin.number)

    @property
    def experiment(self) -> str:
        """The canonical id of an experiment, without the user."""
        return f"{self.number}.{reference(labels.SUB_PARAMETER)}" if self.plan.is_set else self.number

    @property
    def set_path(self) -> str:
        """Where in the output volume the run has its folder."""
        return "/".join(filter(None, (self.origin.user, self.plan.project, self.number)))

    @property
    def output_path(self) -> str:
        """Where in the output volume an experiment has its folder."""
        return f"{self.set_path}/{reference(labels.SUB_PARAMETER)}" if self.plan.is_set else self.set_path

    def _longest_ending(self) -> int:
        number = "x" * _GENERATED if self.origin.number is None else str(self.origin.number)
        sub = max((e.sub for e in self.plan.experiments), default=1)
        return max(len(f"-{number}-{sub}-{ending}") for ending in _endings(self.plan))


def _endings(plan: ExperimentSet) -> Iterable[str]:
    return (job.type if job.count == 1 else f"{job.type}-{job.count}" for job in plan.jobs)
