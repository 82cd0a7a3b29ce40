"""Engine in memory that keeps what commands submit, and the runs that they repeat."""

from dataclasses import dataclass, replace

from riseml.client.context import ClientContext
from riseml.engines import Submission, Submitted
from riseml.errors import ChangedMeanwhileError
from riseml.status import JobStatus, SetStatus, State
from tests.cli import fake_engine
from tests.cli.fake_engine import FakeEngine

REVISION = "a" * 40
SET_CONFIG = """\
project: toaster-net
train:
  image: busybox
  run: fit {{lr}}
  parameters:
    lr: [1e-1, 1e-2, 1e-3]
"""
SINGLE_CONFIG = "project: toaster-net\ntrain:\n  image: busybox\n  run: fit\n"


@dataclass
class Submissions(FakeEngine):
    """Engine that keeps `submitted`; `refusals` of them fail, since the run has changed."""

    refusals: int = 0

    @property
    def submitted(self) -> list[Submission]:
        """What was submitted so far."""
        return [call[1] for call in self.calls if call[0] == "start"]

    def start(self, submission: Submission) -> Submitted:
        """Keep a submission."""
        if self.refusals:
            self.refusals -= 1
            raise ChangedMeanwhileError("another command was faster")
        self.calls.append(("start", submission))
        number = submission.into.number if submission.into else 15
        count = len(submission.plan.experiments)
        is_set = submission.plan.is_set
        notes = (f"note {len(self.submitted)}",)
        return Submitted(number, f"toaster-net-{number}", is_set, count, notes)

    def tensorboard_url(self, run: object) -> str | None:
        """Return the address that a TensorBoard of a run has."""
        return f"http://tb/{run}"


def context_of(run: SetStatus, refusals: int = 0) -> tuple[ClientContext, Submissions]:
    """Return the context of a client whose engine has one run, and the engine."""
    engine = Submissions([run], refusals=refusals)
    return ClientContext(None, engine), engine


def recorded(run: SetStatus, config: str = SET_CONFIG) -> SetStatus:
    """Return a run that recorded what it ran."""
    return replace(run, revision=REVISION, config=config)


def recorded_set(*states: State) -> SetStatus:
    """Return set 14 over `lr`, whose experiments had an attempt each."""
    run = fake_engine.grid(14, list(states))
    experiments = []
    for experiment in run.experiments:
        (job,) = experiment.jobs
        begun = replace(job, node_id="node")
        parameters = {"lr": f"1e-{experiment.sub}"}
        experiments.append(replace(experiment, parameters=parameters, jobs=(begun,)))
    return recorded(replace(run, experiments=tuple(experiments)))


def with_tensorboard(run: SetStatus, state: State) -> SetStatus:
    """Return a run with a TensorBoard in a state."""
    return replace(run, jobs=(JobStatus("14.tensorboard", "tensorboard", state=state),))
