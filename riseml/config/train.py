"""`train`: commands, image, resources, parameters and the framework of a project's experiments."""

from collections.abc import Mapping
from typing import Any

from yaml.nodes import MappingNode, Node

from riseml import frameworks
from riseml.config import checks, objective
from riseml.config.experiments import Experiments
from riseml.config.parameters import LISTED, Parameters
from riseml.config.results import Results
from riseml.config.strategy import Search, SearchConfig
from riseml.dataclass import dataclass, field
from riseml.distributions import Values
from riseml.plan import Metric, Resources, Retries
from riseml.schema.fields import (
    Boolean,
    Choice,
    Integer,
    Mapped,
    OneOrMany,
    PluginName,
    Record,
    Schema,
    Shorthand,
    Text,
    Value,
)
from riseml.schema.resources import RESOURCES, Duration
from riseml.schema.yaml_document import Document, Entries
from riseml.schema.yaml_kinds import BOOL, FLOAT, INT, is_scalar

# The grammar of image references, as github.com/distribution/reference defines it.
_WORD = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:[.][A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
_TAG = ":[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}"
_DIGEST = "@[A-Za-z0-9]+(?:[.+_-][A-Za-z0-9]+)*:[0-9a-fA-F]{32,}"
_IMAGE = f"(?:(?:{_HOST}/)?{_WORD}(?:/{_WORD})*(?:{_TAG})?(?:{_DIGEST})?)?"
# The causes that a Workflow's retry expressions can distinguish.
_CAUSES = ("error", "oom", "preempted", "node-lost", "idle")
_GANG_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class TrainConfig:
    """The section `train`, complete: lists for shorthands, sizes in bytes, times in seconds, always an image.

    `options` are those of the framework (of `frameworks/plain.py` without one). Values of
    parameters are texts as written, ranges expanded, or a distribution; without parameters
    there is a single experiment. A metric of the search is the first one of `results`.
    Listed `experiments` are that many, and each parameter has their values in their order.
    `names_image` says whether the file has the key `image`.
    """

    run: tuple[str, ...]
    resources: Resources
    image: str
    options: Any
    framework: str | None = None
    install: tuple[str, ...] = ()
    parameters: Mapping[str, Values] = field(default_factory=dict)
    experiments: int = 0
    search: SearchConfig = field(default_factory=SearchConfig.default)
    concurrency: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    timeout: int | None = None
    idle_timeout: int | None = None
    hold_on_failure: int | None = None
    retries: Retries = field(default_factory=Retries)
    gang_timeout: int = _GANG_TIMEOUT_SECONDS
    build_files: tuple[str, ...] = ()
    results: tuple[Metric, ...] = ()
    isolate_network: bool = False
    isolated: bool = False
    queue: str = ""
    priority: str = ""
    names_image: bool = False


class _AsText(Text):
    """Text, or a number or truth value used as it is written."""

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the text."""
        if is_scalar(node, INT, FLOAT, BOOL):
            return str(node.value)
        return super().read(node, name, doc)

    def schema(self) -> Schema:
        """Return any scalar but null."""
        return {"anyOf": [{"type": ["number", "boolean"]}, super().schema()]}


_COMMANDS = OneOrMany(Text("text", lines=True))
_VARIABLE = Text(
    "letters, digits and '_', not beginning with a digit",
    "[A-Za-z_][A-Za-z0-9_]*",
    "Write for example WANDB_MODE.",
)
_PATH = Text(
    "a path below riseml.yml's folder",
    r"(?![/~])(?!(?:.*/)?\.\.(?:/|$))(?!.*\{\{)[^\0-\x1f\x7f-\x9f\u2028\u2029]+",
    "Write for example setup.py or requirements/base.txt.",
)
_OBJECT_NAME = Text(
    "lower-case letters, digits, '-' and '.'",
    "[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?",
    "Write for example research; an administrator knows the names.",
    most=63,
)
_FRAMEWORK = PluginName(
    frameworks.exists, frameworks.names, "Leave it out for anything else."
)
_RETRIES = Shorthand(
    Integer(0),
    Retries,
    Record(
        Retries,
        {
            "count": Integer(0).says("Number of attempts after the first.", example=3),
            "on": OneOrMany(Choice(*_CAUSES), unique=True).says(
                "Causes of failure after which to retry.",
                otherwise="after all but idle",
                example=["preempted", "node-lost"],
                local="node-lost and preempted never happen",
            ),
        },
        required={"count": "Write for example count: 3."},
    ),
)
_IMAGE_TEXT = Text(
    "a Docker image",
    _IMAGE,
    "Write for example python:3.12; placeholders and capital letters are not allowed.",
    most=500,
)
_KEYS: dict[str, Value[Any]] = {
    "run": _COMMANDS.says(
        "Commands, run one after the other in one shell; the job ends when one fails.",
        example=["python prepare.py", "python train.py --lr {{lr}}"],
    ),
    "resources": RESOURCES.says(
        "What each job is guaranteed.",
        otherwise="it is 1 core and 512 MB",
        example={"cpus": 4, "mem": "8Gi", "gpus": 1},
        local="decides when a job starts",
        cluster="decides when and where a job starts",
    ),
    "image": _IMAGE_TEXT.says(
        "Docker image.",
        otherwise="it follows from the framework (jax and mpi have none), and is python:3.12 without one",
        example="python:3.12-slim",
        local="used in containers only, not by processes",
    ),
    "install": _COMMANDS.says(
        "Commands that extend the image; they run once for equal images and files.",
        default=[],
        example="pip install -r requirements.txt",
        local="they make a virtual environment, without `apt-get` and its like; in containers, an image",
        cluster="they build an image, as root",
    ),
    "framework": _FRAMEWORK.says(
        "Framework that connects the jobs of an experiment.",
        otherwise="an experiment is one job",
        example="pytorch",
    ),
    "parameters": Parameters().says(
        "Values, lists, ranges or distributions by name; all combinations are run"
        " unless `search` says otherwise.",
        default={},
        example={"lr": [0.1, 0.01], "hidden": [16, 64]},
    ),
    "experiments": Experiments(LISTED).says(
        "Values of each experiment, where they are no grid;"
        " parameters: {file: x.csv} reads them from a table.",
        otherwise="`parameters` decides",
        example=[{"lr": 0.1, "hidden": 16}, {"lr": 0.01, "hidden": 64}],
    ),
    "search": Search().says(
        "Strategy that chooses which combinations are run.",
        default="grid",
        example={"method": "random", "trials": 20},
    ),
    "concurrency": Integer(1).says(
        "How many experiments of a set run at the same time.", default=1, example=4
    ),
    "env": Mapped(_VARIABLE, _AsText(lines=True)).says(
        "Environment variables of every job.",
        default={},
        example={"WANDB_MODE": "offline"},
        local="jobs have the variables of the terminal as well",
        cluster="jobs have those of the image as well",
    ),
    "secrets": OneOrMany(_VARIABLE, unique=True).says(
        "Variables whose values are set with `riseml secret set`.",
        default=[],
        example=["WANDB_API_KEY"],
        local="values are in a file that only you can read",
        cluster="values are in a Secret of your namespace",
    ),
    "timeout": Duration().says(
        "Running time of one attempt of a job: seconds, or with units (90s, 10m, 1h30m, 2d).",
        otherwise="there is no limit",
        example="1h30m",
    ),
    "idle_timeout": Duration().says(
        "Time after which a job is stopped whose GPUs are used less than 2 %:"
        " seconds, or with units (90s, 10m, 1h30m, 2d).",
        otherwise="idle jobs are not stopped",
        example="1h",
    ),
    "hold_on_failure": Duration().says(
        "Time for which a failed job keeps its container or processes, so that"
        " `riseml shell` gets in: seconds, or with units (90s, 10m, 1h30m, 2d).",
        otherwise="failed jobs end at once",
        example="30m",
    ),
    "retries": _RETRIES.says(
        "Further attempts of a failed experiment: a number, or a mapping.",
        default=0,
        example={"count": 3, "on": ["preempted", "node-lost"]},
    ),
    "gang_timeout": Duration().says(
        "Time within which all jobs of an experiment must have started:"
        " seconds, or with units (90s, 10m, 1h30m, 2d).",
        default="10m",
        example="30m",
        local="jobs of an experiment start only when all of them fit",
        cluster="jobs that waited this long give their resources back, and wait again;"
        " with a queue it has no meaning",
    ),
    "queue": _OBJECT_NAME.says(
        "Queue of the cluster in which the jobs wait.",
        otherwise="the administrator decides",
        example="research",
        local="ignored",
        cluster="an error on a cluster without queues",
    ),
    "priority": _OBJECT_NAME.says(
        "Priority class of the cluster for the jobs.",
        otherwise="the cluster decides",
        example="urgent",
        local="ignored",
        cluster="a class of the queue, or a PriorityClass of Kubernetes",
    ),
    "isolate_network": Boolean().says(
        "Whether each experiment has a network of its own.",
        default=False,
        example=True,
        local="jobs of different experiments may listen at the same port",
        cluster="ignored, since each job has an address of its own",
    ),
    "isolated": Boolean().says(
        "Whether jobs see only what install steps install, not your own packages.",
        default=False,
        example=True,
        local="shows what is missing in `install`",
        cluster="ignored, since jobs see only the image",
    ),
    "build_files": OneOrMany(_PATH, unique=True).says(
        "Files that install steps need but do not name.",
        default=[],
        example=["setup.py", "requirements/base.txt"],
    ),
    "results": Results().says(
        "Metrics to read from logs and files: a mapping, a name, or a list of names.",
        default=[],
        example={"val_loss": "min", "acc": "max"},
    ),
}
# Keys of other tools, and of RiseML's own older dialects.
_HINTS = {
    **dict.fromkeys(("command", "commands", "cmd", "script"), "Did you mean 'run'?"),
    **dict.fromkeys(("environment", "variables"), "Did you mean 'env'?"),
    **dict.fromkeys(
        ("parallelism", "parallel", "max_parallel"), "Did you mean 'concurrency'?"
    ),
    **dict.fromkeys(("metrics", "metric", "result"), "Did you mean 'results'?"),
    "tensorboard": (
        "It belongs in the section of a framework: framework: pytorch, and"
        " pytorch: {tensorboard: true}."
    ),
    "requirements": "Write install: pip install -r requirements.txt.",
    "preemption": "Write retries: {count: 3, on: preempted}.",
}


class _Train(Record[TrainConfig]):
    """The keys above, and one section for each framework."""

    def names(self) -> tuple[str, ...]:
        """Return all keys."""
        return (*self.keys, *frameworks.names())

    def find(self, key: str) -> Value[Any] | None:
        """Return the kind of value of a key; only frameworks that the file names are imported."""
        if key in self.keys or not frameworks.exists(key):
            return self.keys.get(key)
        section = frameworks.find(key).SECTION
        first = next(iter(section.keys), "")
        return section.says(
            f"Options of framework: {key}.",
            otherwise="each of its keys has its default",
            example={first: section.keys[first].example} if first else {},
        )


def _make(**values: Any) -> TrainConfig:
    options = checks.options_of(values)
    config = {key: value for key, value in values.items() if key in _KEYS}
    resources = config.setdefault("resources", Resources())
    config["names_image"] = bool(config.get("image"))
    if not config["names_image"]:
        framework = frameworks.find(values.get("framework"))
        config["image"] = framework.image(options, resources)
    chosen = config.pop("search", None) or SearchConfig.default()
    chosen, results = objective.complete(chosen, config.pop("results", ()))
    return TrainConfig(**config, options=options, search=chosen, results=results)


def _check(
    values: Mapping[str, Any],
    entries: Entries,
    node: MappingNode,
    _name: str,
    doc: Document,
) -> None:
    sections = [key for key in entries if key not in _KEYS and frameworks.exists(key)]
    checks.check(values, entries, node, sections, doc)


TRAIN = _Train(
    _make,
    _KEYS,
    required={
        "run": "Write for example run: python train.py.",
    },
    hints=_HINTS,
    check=_check,
)
