"""Methods of the local engine about the machine, which jobs share with the user."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from riseml.ids import Id

if TYPE_CHECKING:
    from riseml.diagnosis.evidence import Holder, MemoryLimit
    from riseml.engines.local.reader import HomeReader
    from riseml.job_python import Interpreter
    from riseml.plan import ExperimentSet


class MachineMethods:
    """The part of the engine that provides `SharesItsMachine`."""

    reader: "HomeReader"

    def shortage(self, plan: "ExperimentSet") -> str:
        """Explain why this machine can never run an experiment of a plan."""
        # Only `check` needs it.
        from riseml.engines.local.controller import capacity  # noqa: PLC0415
        from riseml.engines.local.own_jobs import identity, own_choice  # noqa: PLC0415

        environment = own_choice(os.environ, identity(self.reader.home))
        return capacity.shortage(plan, environment)

    def job_python(
        self, plan: "ExperimentSet", environment: Mapping[str, str]
    ) -> "Interpreter | None":
        """Return the Python that jobs of a plan would find, None if they find none."""
        # Only commands that show or start a plan need it.
        from riseml.engines.local import job_environment  # noqa: PLC0415

        return job_environment.python(plan, environment)

    def differences(
        self, plan: "ExperimentSet", environment: Mapping[str, str], runner: str
    ) -> list[str]:
        """Return what differs from a cluster for jobs of a plan, in sentences."""
        from riseml.engines.local import job_environment  # noqa: PLC0415

        return job_environment.differences(plan, environment, runner)

    def python(self, job: Id) -> "Interpreter | None":
        """Return the Python that a failed job's commands found, None if it is not known."""
        from riseml.engines.local import evidence  # noqa: PLC0415

        return evidence.python(self.reader, job)

    def port_holder(self, job: Id) -> "Holder | None":
        """Return who held the port that a failed job needed, None if it is not known."""
        from riseml.engines.local import evidence  # noqa: PLC0415

        return evidence.port_holder(self.reader, job)

    def memory_limit(self, job: Id) -> "MemoryLimit | None":
        """Return the limit that `resources.enforce` set for a job that failed at it."""
        from riseml.engines.local import evidence  # noqa: PLC0415

        return evidence.memory_limit(self.reader, job)
