"""Names that RiseML writes into Argo's objects, labels, annotations and parameters: the only schema of our own."""

USER = "riseml.io/user"
PROJECT = "riseml.io/project"
NUMBER = "riseml.io/number"
# "experiment" or "set"
KIND = "riseml.io/kind"

# On pods: the number of the experiment in its set, "1" for a single one
EXPERIMENT = "riseml.io/experiment"
TYPE = "riseml.io/type"
INDEX = "riseml.io/index"
# Of an experiment whose jobs are tried again together
ATTEMPT = "riseml.io/attempt"
# Argo's own: which of several controllers runs it
INSTANCE = "workflows.argoproj.io/controller-instanceid"
# Argo's own, on every pod
WORKFLOW = "workflows.argoproj.io/workflow"
# Argo's own, on every Workflow that its controller has seen
PHASE = "workflows.argoproj.io/phase"

# "true" on pods that others reach by their host name, through the Service SUBDOMAIN; on Workflows: there are such
GANG = "riseml.io/gang"

# "2" on the second Workflow of a set that is too large for one; all have the same number
SHARD = "riseml.io/shard"

# As riseml.yml names it; only where it does
FRAMEWORK = "riseml.io/framework"

# Of the image that a Workflow's install steps make
IMAGE_KEY = "riseml.io/image-key"

# "true" on nodes that experiments avoid
SYSTEM_NODE = "riseml.io/system-node"
# "true" on nodes that builds prefer
BUILD_NODE = "riseml.io/build-node"

# The text of riseml.yml
CONFIG = "riseml.io/config"
# Commit of the snapshot
REVISION = "riseml.io/revision"
# What install steps start from, with its digest; only where that is known
BASE_IMAGE = "riseml.io/base-image"
# `<cell or *>=<RFC 3339 time>` entries joined by commas; there, and empty, from the start
KILLED = "riseml.io/killed"

TITLE = "workflows.argoproj.io/title"
DESCRIPTION = "workflows.argoproj.io/description"

# Parameters of our own beside the user's, whose names never begin so: RISEML_* is no variable of a parameter.
OWN = "riseml-"
SUB_PARAMETER = (
    # The number of the experiment in its set, "1" for a single one
    "riseml-sub"
)
# What the build step made
IMAGE_PARAMETER = "riseml-image"
# Of a job whose type has several, from 1
INDEX_PARAMETER = "riseml-index"
# The same, from 0
PLACE_PARAMETER = "riseml-place"
ATTEMPT_PARAMETER = (
    # Of an experiment whose jobs are tried again together, from 0
    "riseml-attempt"
)

FAILED_STEP = (
    # The output of a build that has failed: the step, or what BuildKit says
    "failed"
)
# The output of a job of several that has waited in vain for the others: which ones
MISSING = "missing"

# At which TensorBoard listens in its pod
BOARD_PORT = 6006

# The headless Service of a namespace, behind which the jobs of an experiment find each other
SUBDOMAIN = "riseml"

# The key, in a user's ConfigMap `riseml`, of how many experiments a set in several Workflows may run at once.
SLOTS = "slots-{number}"
