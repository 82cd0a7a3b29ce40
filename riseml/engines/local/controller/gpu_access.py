"""Which GPUs a pod may get: those that its command may use, and that nobody else uses.

    CUDA_VISIBLE_DEVICES … of the command ──┐
    programs of others on the GPUs ─────────┴─▶ GpuAccess.usable(pod) ──▶ placement

A pod waits for an answer of the drivers that is newer than the last release of a GPU: the
memory of a job that was killed is free only some time after its processes are gone. With
the setting `gpus.shared_with_others`, the programs of others do not matter to a run.
"""

from collections.abc import Callable, Mapping

from riseml.dataclass import dataclass
from riseml.engines.local.controller.gpu_survey import GpuSurvey
from riseml.engines.local.own_jobs import own_choice
from riseml.gpus import Gpu
from riseml.gpus.visibility import limits, visible
from riseml.settings import SHARED_GPUS

# As in settings
_TRUTHS = frozenset({"true", "yes", "on", "1"})


@dataclass
class GpuAccess:
    """The GPUs of a machine, as the pods of its runs may use them.

    `environment` returns that of the command which submitted the run of a pod.
    `identity` marks the jobs of this home.
    """

    gpus: tuple[Gpu, ...]
    environment: Callable[[str], Mapping[str, str]]
    identity: str
    survey: GpuSurvey

    def allowed(self, environment: Mapping[str, str]) -> tuple[tuple[Gpu, ...], str]:
        """Return the GPUs that runs of a command may ever get, and what hides others.

        `environment` is that of the command.
        """
        chosen = own_choice(environment, self.identity)
        names = limits(chosen)
        if not names:
            return self.gpus, ""
        gpus = visible(self.gpus, chosen)
        return gpus, names if len(gpus) < len(self.gpus) else ""

    def usable(self, key: str) -> frozenset[str]:
        """Return the ids of the GPUs that a pod may get now."""
        environment = self.environment(key)
        gpus, _ = self.allowed(environment)
        ids = frozenset(gpu.id for gpu in gpus)
        if _ignores_others(environment):
            return ids
        if not self.survey.is_current:
            return frozenset()
        return ids.difference(self.survey.holders)

    def is_awaited(self, key: str) -> bool:
        """Return whether an answer of the drivers comes soon, on which a pod depends."""
        return self.survey.is_asking and not _ignores_others(self.environment(key))

    def remarks(self, key: str) -> list[str]:
        """Return who uses GPUs that a pod could get otherwise, in phrases."""
        environment = self.environment(key)
        if _ignores_others(environment):
            return []
        if self.survey.is_late:
            return ["the driver of the GPUs does not answer"]
        holders = self.survey.holders
        gpus, _ = self.allowed(environment)
        return [str(holders[gpu.id]) for gpu in gpus if gpu.id in holders]


def _ignores_others(environment: Mapping[str, str]) -> bool:
    return environment.get(SHARED_GPUS, "").lower() in _TRUTHS
