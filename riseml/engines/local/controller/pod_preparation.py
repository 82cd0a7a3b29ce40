"""Preparation of a pod that the machine has room for: its addresses, folders, network and limits."""

from pathlib import Path

from riseml.engines.local.controller import networks, returns
from riseml.engines.local.controller.gangs import Gangs
from riseml.engines.local.controller.services import Services
from riseml.engines.local.controller.session_records import SessionRecords
from riseml.engines.local.jobs.launcher import ProcessSpec
from riseml.engines.local.jobs.pod import Pod, make_folders
from riseml.engines.local.jobs.pod_to_process import PodPreparer
from riseml.gpus import Gpu


class PodPreparation:
    """Preparation of the pods of one run."""

    def __init__(
        self,
        services: Services,
        preparer: PodPreparer,
        gangs: Gangs,
        sessions: SessionRecords,
    ) -> None:
        self._services, self._preparer = services, preparer
        self._gangs, self._sessions = gangs, sessions

    def prepare(
        self, pod: Pod, gpus: tuple[Gpu, ...], obsolete: list[Path]
    ) -> ProcessSpec:
        """Make the folders of a pod, and return its processes.

        Folders of an earlier start are added to `obsolete`.

        Raises:
            RiseMLError: the pod cannot be prepared.
            OSError: a folder cannot be made.
        """
        template = pod.action.template
        is_contained = self._preparer.is_contained(template)
        if not is_contained:
            template = self._gangs.localize(pod.gang, template)
        action = pod.action._replace(template=template)
        prepared = self._preparer.prepare(action, pod.key, gpus)
        pod.set_prepared(prepared)
        # A controller that was killed may have made some of the folders.
        obsolete += returns.vacate(pod)
        make_folders(prepared, gpus, action.attempt)
        self._sessions.write(pod)
        if is_contained:
            # The container has its network and its limits.
            return prepared.spec
        folder = pod.directory.parent
        spec = networks.isolated(prepared.spec, template, folder, pod.gang)
        return self._services.limits.limited(spec, pod)
