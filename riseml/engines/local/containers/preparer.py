"""Conversion of a run's pods to containers; the pods of RiseML itself stay processes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from riseml.dataclass import replace
from riseml.engines.local.containers.image_build import (
    is_image_build,
    prepared_build,
)
from riseml.engines.local.containers.job import contained, is_containable
from riseml.engines.local.containers.program import ContainerProgram
from riseml.engines.local.home import HomeLayout
from riseml.engines.local.interpreter.events import StartPod
from riseml.engines.local.jobs.pod_to_process import PodPreparer, PreparedPod
from riseml.engines.local.serialize import Inherited
from riseml.gpus import Gpu


class ContainerPreparer(PodPreparer):
    """Converter for the pods of one run whose jobs run in containers of `program`."""

    def __init__(
        self,
        layout: HomeLayout,
        number: int,
        folder: Path,
        inherited: Inherited,
        secrets: Callable[[], Mapping[str, str]],
        *,
        attributes: Mapping[str, list[int]],
        program: ContainerProgram,
    ) -> None:
        super().__init__(
            layout, number, folder, inherited, secrets, attributes=attributes
        )
        self._program = program
        # A container has all mounts, and the variables of the document only.
        self._inside = PodPreparer(
            replace(layout, mounts=True),
            number,
            folder,
            Inherited(),
            secrets,
            attributes={},
        )
        # The init steps are processes, which need no mounts.
        self._outside = PodPreparer(
            replace(layout, mounts=False),
            number,
            folder,
            inherited,
            secrets,
            attributes={},
        )

    def is_contained(self, template: Mapping[str, Any]) -> bool:
        """Return whether the main command of a pod runs in a container."""
        return is_containable(template)

    def prepare(
        self, pod: StartPod, key: str, gpus: Sequence[Gpu], *, begun: bool = False
    ) -> PreparedPod:
        """Return the processes that `pod` stands for, without touching a file.

        Raises:
            RiseMLError: the pod needs something that this home does not have.
        """
        template = pod.template
        if is_image_build(template):
            steps = self._outside.prepare(pod, key, (), begun=begun)
            home = self._layout.home
            return prepared_build(
                steps, template, self._program, home, self._attributes
            )
        if not is_containable(template):
            return super().prepare(pod, key, gpus, begun=begun)
        prepared = self._inside.prepare(pod, key, gpus, begun=begun)
        if prepared.workdir is None:
            prepared = _keeping_workdir(prepared)
        if prepared.spec.init:
            init = self._outside.prepare(pod, key, (), begun=begun).spec.init
            prepared = replace(prepared, spec=replace(prepared.spec, init=init))
        return contained(
            prepared,
            template,
            self._program,
            self._layout.home,
            gpus,
            attempt=pod.attempt,
        )


def program_of(name: str, environment: Mapping[str, str]) -> ContainerProgram:
    """Return the container program of a run, which may have gone since its submission."""
    program = ContainerProgram.find(name, environment)
    # A job then says that it cannot be started.
    return program or ContainerProgram(name, f"/usr/bin/{name}")


def _keeping_workdir(prepared: PreparedPod) -> PreparedPod:
    """Return a pod that keeps what it leaves in its working directory as on a cluster.

    With install steps, that is a folder of the image, which the engine does not see.
    """
    main = prepared.spec.main
    env = {**main.env, "RISEML_KEEP_WORKDIR": "1"}
    spec = replace(prepared.spec, main=replace(main, env=env))
    return replace(prepared, spec=spec)
