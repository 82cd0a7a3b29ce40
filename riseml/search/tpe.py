"""TPE: a search in rounds that learns from results, by Optuna's Tree-structured Parzen Estimator.

    lr: {loguniform: [1e-4, 0.1]}    ──▶    round 1: lr 0.0345, lr 0.0007    round 2: lr 0.0291, lr 0.0402    …

Each round has `batch` experiments, which run at the same time. Its parameters follow from
the results of all rounds before it. Equal results with an equal seed give equal parameters.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from riseml.dataclass import dataclass
from riseml.distributions import Parameters
from riseml.schema.fields import Integer, Record, Text
from riseml.search import SEED, Fault, too_many_trials

if TYPE_CHECKING:
    from riseml.rounds.trials import Request

DRAWS = True
MEASURES = True
INSTALL = ("pip install 'optuna>=5,<6'",)


@dataclass(frozen=True)
class Options:
    """Options of TPE; the planner chooses a seed where there is none.

    `batch` 0 stands for the number of experiments that may run at the same time.
    `startup` is the number of trials that are random. `image` is the image of the step
    that chooses parameters.
    """

    trials: int
    seed: int | None = None
    batch: int = 0
    startup: int = 10
    image: str = "python:3.12-slim"


SECTION = Record(
    Options,
    {
        "trials": Integer(1).says("Number of experiments.", example=30),
        "seed": SEED,
        "batch": Integer(1).says(
            "Number of experiments in a round.",
            otherwise="it is as many as run at the same time",
            example=4,
        ),
        "startup": Integer(1).says(
            "Number of first trials that are random.", default=10, example=5
        ),
        "image": Text("a Docker image", most=500).says(
            "Image with Python 3.11 or newer, in which optuna is installed to choose parameters.",
            default="python:3.12-slim",
            example="python:3.13-slim",
            local="not used",
        ),
    },
    required={"trials": "Write for example trials: 30."},
)


def size(_parameters: Parameters, options: Options) -> int:
    """Return the number of trials."""
    return options.trials


def faults(parameters: Parameters, options: Options) -> Sequence[Fault]:
    """Return a fault if there are fewer assignments than trials."""
    return too_many_trials(parameters, options.trials)


def suggest(request: "Request") -> list[dict[str, str]]:
    """Return the parameters of the next round. It runs without this module (see `riseml.rounds`)."""
    import optuna  # noqa: PLC0415

    from riseml.rounds import optuna_space  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=request.seed, n_startup_trials=request.settings["startup"]
    )
    directions = optuna.study.StudyDirection
    direction = {"min": directions.MINIMIZE, "max": directions.MAXIMIZE}
    study = optuna.create_study(sampler=sampler, direction=direction[request.mode])
    seen = set()
    # The order of trials changes what is suggested.
    for trial in request.trials:
        study.add_trial(optuna_space.ended(trial))
        seen.add(tuple(sorted(trial.parameters.items())))
    suggested: list[dict[str, str]] = []
    repeated = 0
    while len(suggested) < request.count:
        suggestion = study.ask(optuna_space.distributions(request.space))
        parameters = optuna_space.texts(request.space, suggestion.params)
        identity = tuple(sorted(parameters.items()))
        # A repetition would teach nothing, but there may be nothing else left.
        if identity in seen and repeated < 100 * request.count:
            repeated += 1
            study.tell(suggestion, state=optuna.trial.TrialState.FAIL)
            continue
        seen.add(identity)
        suggested.append(parameters)
    return suggested
