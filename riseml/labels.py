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

# Annotations of pods.

# "true" if the jobs of an experiment have a network of their own on a shared machine.
ISOLATE_NETWORK = "riseml.io/isolate-network"
# "true" if a job sees none of the Python packages that a shared machine has.
ISOLATED = "riseml.io/isolated"

# The name of an image begins like that if it stands for an environment of a home.
ENVIRONMENT = "riseml-env:"

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
# The metrics that riseml.yml names under `results`, as JSON; absent if it names none.
METRICS = "riseml.io/metrics"
# How the experiments were chosen, as JSON: method, seed, metric; absent for a grid.
SEARCH = "riseml.io/search"
# The image that install steps start from, with its digest; absent if it is not known.
BASE_IMAGE = "riseml.io/base-image"
# `<number of the experiment or *>=<RFC 3339 time>` entries joined by commas; empty at first.
KILLED = "riseml.io/killed"
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

# Output parameters.

# Of a failed build: the step that failed, or the error of BuildKit.
FAILED_STEP = "failed"
# Of a job that waited in vain at the start barrier: the jobs that did not arrive.
MISSING = "missing"
# What a job left in its working directory, in words.
WORKDIR = "workdir"
# Of a job that its search stopped: the step, and the metric that decided.
EARLY = "early"

# The port on which TensorBoard listens in its pod.
TENSORBOARD_PORT = 6006

# The headless Service of a namespace through which the jobs of an experiment find each other.
SUBDOMAIN = "riseml"

# The key in a user's ConfigMap `riseml` whose value limits how many experiments of a set
# in several Workflows run at the same time.
SLOTS = "slots-{number}"
