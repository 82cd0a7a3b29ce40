"""What runs of a riseml.yml need and do not have yet: secrets, and enough of this machine."""

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING

from riseml.engines import Engine
from riseml.engines.capabilities import SharesItsMachine
from riseml.errors import Fault, RiseMLError

if TYPE_CHECKING:
    from riseml.plan import ExperimentSet

NO_TENSORBOARD = "the run has no TensorBoard: none is installed in your environment"
_INSTALL = "Run `pip install tensorboard`, or add it to `install` in riseml.yml."


def warnings(engine: Engine, plan: "ExperimentSet", path: str) -> list[Fault]:
    """Return a warning about the file at `path` for everything that a run would lack."""
    faults = []
    for name in _missing_secrets(engine, plan):
        message = f"the secret {name} is not set"
        faults.append(
            _warning(path, message, f"Set it with `riseml secret set {name}`.")
        )
    if lacks_tensorboard(engine, plan):
        faults.append(_warning(path, NO_TENSORBOARD, _INSTALL))
    shortage = ""
    if isinstance(engine, SharesItsMachine):
        shortage = engine.shortage(plan)
    if shortage:
        message = f"no experiment can start on this machine: {shortage}"
        advice = "Request less under `resources`, or run on a cluster."
        faults.append(_warning(path, message, advice))
    return faults


def lacks_tensorboard(engine: Engine, plan: "ExperimentSet") -> bool:
    """Return whether jobs get a TensorBoard in the user's environment, which has none."""
    from riseml.client import tensorboard_program

    is_users = isinstance(engine, SharesItsMachine) and not plan.install
    if not (plan.tensorboard and is_users):
        return False
    try:
        tensorboard_program.command()
    except RiseMLError:
        return True
    return False


def _missing_secrets(engine: Engine, plan: "ExperimentSet") -> list[str]:
    if not plan.secrets:
        return []
    # A file can be checked while its cluster cannot be reached.
    with suppress(RiseMLError):
        secrets = set(engine.secrets())
        return list(itertools.filterfalse(secrets.__contains__, plan.secrets))
    return []


def _warning(path: str, message: str, advice: str) -> Fault:
    return Fault(path, 0, 0, message, "warning", advice=advice)
