"""Names that RiseML writes into Argo's objects: labels, annotations, parameters and outputs."""

# Labels of Workflows.

USER = "riseml.io/user"
PROJECT = "riseml.io/project"
NUMBER = "riseml.io/number"
# "experiment" or "set".
KIND = "riseml.io/kind"
# "2" on the second Workflow of a set that has several; all have the same number.
SHARD = "riseml.io/shard"
# "true" on a Workflow whose set had others before: it repeats or adds experiments.
ADDED = "riseml.io/added"
# The framework, as riseml.yml names it; absent if it names none.
FRAMEWORK = "riseml.io/framework"
# The name that the user gave to the run; absent if none.
NAME = "riseml.io/name"
# Each tag of a run is a label that begins like that, with the value "true".
TAG_PREFIX = "tags.riseml.io/"
# The key of the image that the Workflow's install steps build.
IMAGE_KEY = "riseml.io/image-key"
# The same for the job that chooses the parameters of a search.
SEARCH_IMAGE_KEY = "riseml.io/search-image-key"
# "true" on pods that others reach by their host name, through the Service SUBDOMAIN, and
# on Workflows that have such pods.
GANG = "riseml.io/gang"

# Labels of pods.

# The number of the experiment in its set, "1" for a single one.
EXPERIMENT = "riseml.io/experiment"
TYPE = "riseml.io/type"
# The types of jobs that build an image: for the user's jobs, and for the search.
BUILD_TYPES = ("build", "build-search")
INDEX = "riseml.io/index"
# The attempt of an experiment whose jobs are retried together.
ATTEMPT = "riseml.io/attempt"

# The label `app` of the pod of a user's store.
STORE = "riseml-store"

# Annotations of pods.

# "true" if the jobs of an experiment have a network of their own on a shared machine.
ISOLATE_NETWORK = "riseml.io/isolate-network"
# "true" if a job sees none of the Python packages that a shared machine has.
ISOLATED = "riseml.io/isolated"
# "true" on pods that may use no more of a shared machine than they request.
ENFORCED = "riseml.io/enforced"

# The part of a GPU that a job gets; absent if it gets whole ones.
GPUS = "riseml.io/gpus"
# The least memory of each of its GPUs, and their type; absent for any.
GPU_MEM = "riseml.io/gpu-mem"
GPU_TYPE = "riseml.io/gpu-type"

# The name of an image begins like that if it stands for an environment of a home.
ENVIRONMENT = "riseml-env:"
# The same for the id of an image that this machine has.
IMAGE_ID = "sha256:"

# Labels of nodes.

# "true" on nodes that experiments avoid.
SYSTEM_NODE = "riseml.io/system-node"
# "true" on nodes that builds prefer.
BUILD_NODE = "riseml.io/build-node"

# Labels of Argo's own.

# The instance of the controller that processes a Workflow, where there are several.
INSTANCE = "workflows.argoproj.io/controller-instanceid"
# The Workflow's name, on every pod.
WORKFLOW = "workflows.argoproj.io/workflow"
# The name of the Workflow that this one is a copy of, made by `argo resubmit`.
RESUBMITTED = "workflows.argoproj.io/resubmitted-from-workflow"
# Who used the Argo Server last to change a Workflow, by subject, name or e-mail address,
# and the action; absent if it does not know.
ACTOR = "workflows.argoproj.io/actor"
ACTOR_NAME = "workflows.argoproj.io/actor-preferred-username"
ACTOR_EMAIL = "workflows.argoproj.io/actor-email"
ACTION = "workflows.argoproj.io/action"
# Who submitted the Workflow through an Argo Server, as that knows them.
CREATOR = "workflows.argoproj.io/creator"
CREATOR_NAME = "workflows.argoproj.io/creator-preferred-username"
CREATOR_EMAIL = "workflows.argoproj.io/creator-email"
# The Workflow's phase; absent until a controller has seen it.
PHASE = "workflows.argoproj.io/phase"

# Annotations of Workflows.

# The text of riseml.yml.
CONFIG = "riseml.io/config"
# The commit of the snapshot.
REVISION = "riseml.io/revision"
# What ignore files left out of the snapshot: JSON, a list of paths for each file.
EXCLUDED = "riseml.io/excluded"
# The user's own Git repository at submission, as JSON; absent if there was none.
GIT = "riseml.io/git"
# The note of the user about the run; absent if there is none.
NOTE = "riseml.io/note"
# The name by which the API server knows who submitted the Workflow.
SUBMITTER = "riseml.io/submitter"
# The metrics that riseml.yml names under `results`, as JSON; absent if it names none.
METRICS = "riseml.io/metrics"
# How the experiments were chosen, as JSON: method, seed, metric; absent for a grid.
SEARCH = "riseml.io/search"
# The image that install steps start from, with its digest; absent if it is not known.
BASE_IMAGE = "riseml.io/base-image"
# `<number of the experiment or *>=<RFC 3339 time>` entries joined by commas; empty at first.
KILLED = "riseml.io/killed"
# What runs the jobs on one machine: process, podman or docker; absent on a cluster.
RUNNER = "riseml.io/runner"
TITLE = "workflows.argoproj.io/title"
DESCRIPTION = "workflows.argoproj.io/description"

# Parameters of RiseML. A user's parameter cannot begin like this, since variables that
# begin with RISEML_ are reserved.
OWN = "riseml-"
# The number of the experiment in its set, "1" for a single one.
SUB_PARAMETER = "riseml-sub"
# The number of earlier attempts of an experiment that its set runs again.
EARLIER_PARAMETER = "riseml-earlier"
# The folder in the output volume of the experiment that one continues.
RESUME_PARAMETER = "riseml-resume"
# The folder in an experiment's output that stands for it if that is missing.
EMPTY_FOLDER = ".riseml/resume"
# The image that the build step built.
IMAGE_PARAMETER = "riseml-image"
# The image of the job that chooses the parameters of a round, and the round, from 1.
SEARCH_IMAGE_PARAMETER = "riseml-search-image"
ROUND_PARAMETER = "riseml-round"
# The index of a job whose type has several, from 1.
INDEX_PARAMETER = "riseml-index"
# The same, from 0.
POSITION_PARAMETER = "riseml-place"
# The attempt of an experiment whose jobs are retried together, from 0.
ATTEMPT_PARAMETER = "riseml-attempt"
# The bracket of an experiment in a search with several.
BRACKET_PARAMETER = "riseml-bracket"
# The argument of a template whose experiments are not all combinations of some values: a list of
# objects, as JSON.
EXPERIMENTS_PARAMETER = "experiments"

# Output parameters.

# Of a failed build: the step that failed, or the error of BuildKit.
FAILED_STEP = "failed"
# Of a job that waited in vain at the start barrier: the jobs that did not arrive.
MISSING = "missing"
# What a job left in its working directory, in words.
WORKDIR = "workdir"
# What a job used, as JSON: the fields of `riseml.usage.Usage`.
USAGE = "usage"
# Of a job that was held after its failure: the time of the failure, in seconds since 1970.
HELD = "held"
# Of a job that its search stopped: the step, and the metric that decided.
EARLY = "early"
# Of a job that was stopped because its GPUs were idle: for how many seconds they were.
IDLE = "idle"
# Of a job whose lines were stopped at their `timeout`: that, in seconds.
TIMED_OUT = "timeout"

# The exit code of a gang's job that gives its resources back (templates/gang.sh). Programs do
# not use it: a shell would take it for a signal.
RELEASED_CODE = "175"

# The variable with the timeout of a job, whose lines the run script ends.
TIMEOUT_VARIABLE = "RISEML_TIMEOUT"

# Argo's annotation of each pod: the id of its node.
NODE_ID = "workflows.argoproj.io/node-id"

# The port on which TensorBoard listens in its pod.
TENSORBOARD_PORT = 6006

# The headless Service of a namespace through which the jobs of an experiment find each other.
SUBDOMAIN = "riseml"

# The key in a user's ConfigMap `riseml` whose value limits how many experiments of a set
# in several Workflows run at the same time.
SLOTS = "slots-{number}"
