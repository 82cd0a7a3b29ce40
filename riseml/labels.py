"""Names that RiseML writes into Argo's objects, labels, annotations and parameters: the only schema of our own."""

USER = "riseml.io/user"
PROJECT = "riseml.io/project"
NUMBER = "riseml.io/number"
KIND = "riseml.io/kind"  # "experiment" or "set"

EXPERIMENT = "riseml.io/experiment"  # on pods: the number of the experiment in its set, "1" for a single one
TYPE = "riseml.io/type"
INDEX = "riseml.io/index"
ATTEMPT = "riseml.io/attempt"  # of an experiment whose jobs are tried again together
INSTANCE = "workflows.argoproj.io/controller-instanceid"  # Argo's own: which of several controllers runs it
WORKFLOW = "workflows.argoproj.io/workflow"  # Argo's own, on every pod
PHASE = "workflows.argoproj.io/phase"  # Argo's own, on every Workflow that its controller has seen

# "true" on pods that others reach by their host name, through the Service SUBDOMAIN; on Workflows: there are such
GANG = "riseml.io/gang"

# "2" on the second Workflow of a set that is too large for one; all have the same number
SHARD = "riseml.io/shard"

FRAMEWORK = "riseml.io/framework"  # as riseml.yml names it; only where it does

IMAGE_KEY = "riseml.io/image-key"  # of the image that a Workflow's install steps make

SYSTEM_NODE = "riseml.io/system-node"  # "true" on nodes that experiments avoid
BUILD_NODE = "riseml.io/build-node"  # "true" on nodes that builds prefer

CONFIG = "riseml.io/config"  # the text of riseml.yml
REVISION = "riseml.io/revision"  # commit of the snapshot
BASE_IMAGE = "riseml.io/base-image"  # what install steps start from, with its digest; only where that is known
KILLED = "riseml.io/killed"  # `<cell or *>=<RFC 3339 time>` entries joined by commas; there, and empty, from the start

TITLE = "workflows.argoproj.io/title"
DESCRIPTION = "workflows.argoproj.io/description"

# Parameters of our own beside the user's, whose names never begin so: RISEML_* is no variable of a parameter.
OWN = "riseml-"
SUB_PARAMETER = (
    "riseml-sub"  # the number of the experiment in its set, "1" for a single one
)
IMAGE_PARAMETER = "riseml-image"  # what the build step made
INDEX_PARAMETER = "riseml-index"  # of a job whose type has several, from 1
PLACE_PARAMETER = "riseml-place"  # the same, from 0
ATTEMPT_PARAMETER = (
    "riseml-attempt"  # of an experiment whose jobs are tried again together, from 0
)

FAILED_STEP = (
    "failed"  # the output of a build that has failed: the step, or what BuildKit says
)
MISSING = "missing"  # the output of a job of several that has waited in vain for the others: which ones

BOARD_PORT = 6006  # at which TensorBoard listens in its pod

SUBDOMAIN = "riseml"  # the headless Service of a namespace, behind which the jobs of an experiment find each other

# The key, in a user's ConfigMap `riseml`, of how many experiments a set in several Workflows may run at once.
SLOTS = "slots-{number}"
