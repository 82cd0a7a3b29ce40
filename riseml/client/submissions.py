"""Submissions of experiments that continue from an earlier run."""

import time
from collections.abc import Callable, Sequence

from riseml.client.context import ClientContext
from riseml.client.explain import tensorboard_url
from riseml.client.repeat_types import Grown
from riseml.client.run_code import Code
from riseml.dataclass import replace
from riseml.engines import Growth, Submission, Submitted
from riseml.errors import ChangedMeanwhileError
from riseml.ids import Id
from riseml.plan import Experiment, ExperimentSet
from riseml.status import SetStatus

# Other commands may change the same run so often before this one gives up.
_TRIES = 10
# A cluster may need a moment until it lists what was just added.
_PAUSE_SECONDS = 0.2


def start(
    context: ClientContext,
    code: Code,
    experiments: Sequence[Experiment],
    growth: Growth | None = None,
) -> Submitted:
    """Start experiments, in a new run or in that of `growth`."""
    plan = replace(
        code.plan,
        experiments=tuple(experiments),
        workdir_limit=context.settings.workdir_limit,
        enforces_resources=context.settings.resources_enforce,
    )
    submission = Submission(
        plan,
        code.revision,
        context.environment(),
        code.node,
        code.excluded,
        git=code.git,
        into=growth,
        base=code.base,
        runner=code.runner,
    )
    return context.engine.start(submission)


def until_unchanged(
    context: ClientContext, run: Id, grow: Callable[[SetStatus], Grown]
) -> Grown:
    """Return the result of `grow`, given a run as it is now.

    It is called again, with the new status, after another command has changed the run.

    Raises:
        ChangedMeanwhileError: that happens too often.
    """
    for attempt in range(_TRIES - 1):
        try:
            return grow(context.read(run))
        except ChangedMeanwhileError:
            time.sleep(_PAUSE_SECONDS * attempt)
    return grow(context.read(run))


def tensorboard(
    context: ClientContext, submitted: Submitted, plan: ExperimentSet
) -> str | None:
    """Return the address of the TensorBoard that a submission has started, if it has."""
    if not plan.tensorboard:
        return None
    return tensorboard_url(context.engine, Id(number=submitted.number))


def serves_tensorboard(run: SetStatus) -> bool:
    """Return whether a run still has a TensorBoard of its own."""
    for job in run.jobs:
        if job.type == "tensorboard" and not job.state.is_terminal:
            return not run.state.is_terminal
    return False


def output_path(run: SetStatus, sub: int | None) -> str:
    """Return the folder of an experiment in the output volume."""
    folders = [run.user, run.project, str(run.number)]
    if run.is_set:
        folders.append(str(sub))
    return "/".join(filter(None, folders))
