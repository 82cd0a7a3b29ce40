"""Starts of waiting pods, as the machine has room for them.

admit ── several pods ──▶ started one after the other ──────────────────▶ commit
      ── one pod ───────▶ its start begins ──▶ commit, while the launcher works ──▶ it has started
"""

from collections.abc import Callable, Mapping, Sequence

from riseml import disk
from riseml.engines.local import reserve
from riseml.engines.local.controller.active_run import ActiveRun
from riseml.engines.local.controller.launches import Launches
from riseml.engines.local.controller.machine import Admission
from riseml.engines.local.controller.services import Services, workflow_key
from riseml.engines.local.jobs.launcher import LaunchError

# Jobs that take no time end before this, and share the commit of their start and end.
_COMMIT_SECONDS = 0.01


class PodStarts:
    """Starts of the pods of a home; `runs` are its Workflows that have not ended."""

    def __init__(self, services: Services, runs: Mapping[int, ActiveRun]) -> None:
        self._services, self._runs = services, runs
        self._launches = Launches()
        self._begun: Admission | None = None

    def start(self, *, may_overlap: bool) -> None:
        """Start waiting pods while the machine has room, and explain why others wait.

        With `may_overlap`, the start of the last one has only begun: `finish` has to
        follow before anything else happens to pods. So the controller commits while the
        launcher works, which for jobs that take no time is a quarter of its time.
        """
        machine = self._services.machine
        home = self._services.layout.home
        if machine.waiting and reserve.is_needed(home):
            # They would fail at once, one after the other.
            self._explain_waits(lambda _: disk.description(home))
            return
        last: list[Admission] = []
        # A pod that fails to start frees its resources for others at once.
        while not self._launches.are_paused:
            admissions = list(machine.admit())
            if not admissions:
                break
            self._launch(last)
            last = admissions if may_overlap and len(admissions) == 1 else []
            if not last:
                self._launch(admissions)
        if not self._launches.are_failing:
            self._explain_waits(machine.reason)
        elif self._launches.reason:
            self._explain_waits(lambda _: self._launches.reason)
        for admission in last:
            self._begin(admission)

    def _begin(self, admission: Admission) -> None:
        run = self._runs[workflow_key(admission.key)]
        if run.pods.begin_start(admission.key, admission.gpus):
            self._begun = admission
            return
        run.work()
        # Others may start instead.
        self._services.loop.wake_after(0.0)

    def finish(self) -> None:
        """Wait until the pod has started whose start has begun, if there is one."""
        if self._begun is None:
            return
        admission, self._begun = self._begun, None
        run = self._runs[workflow_key(admission.key)]
        try:
            run.pods.finish_start(admission.key)
        except LaunchError as error:
            self._postpone([admission], str(error))
        else:
            self._launches.succeed()
        run.work()
        self._services.loop.wake_after(_COMMIT_SECONDS)

    def _launch(self, admissions: Sequence[Admission]) -> None:
        """Start pods; if the machine cannot start one now, all the others wait."""
        for position, admission in enumerate(admissions):
            run = self._runs[workflow_key(admission.key)]
            try:
                run.pods.start(admission.key, admission.gpus)
            except LaunchError as error:
                self._postpone(admissions[position:], str(error))
                return
            self._launches.succeed()

    def _postpone(self, admissions: Sequence[Admission], reason: str) -> None:
        """Return pods to the queue: the first, which failed, behind all others."""
        for admission in admissions[1:]:
            self._return_to_queue(admission.key)
        self._services.machine.prefer([admission.key for admission in admissions[1:]])
        self._return_to_queue(admissions[0].key)
        self._services.loop.wake_after(self._launches.fail(reason))

    def _return_to_queue(self, key: str) -> None:
        self._runs[workflow_key(key)].pods.return_to_queue(key)

    def _explain_waits(self, reason: Callable[[str], str]) -> None:
        for key in self._services.machine.waiting:
            text = reason(key)
            if text:
                self._runs[workflow_key(key)].pods.explain_wait(key, text)
        for run in list(self._runs.values()):
            run.work()
