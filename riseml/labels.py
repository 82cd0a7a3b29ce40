"""Labels and annotations that RiseML writes on Argo's objects: the only schema of our own."""

USER = "riseml.io/user"
PROJECT = "riseml.io/project"
NUMBER = "riseml.io/number"
KIND = "riseml.io/kind"  # "experiment" or "set"

EXPERIMENT = "riseml.io/experiment"  # on pods: the number of the experiment in its set, "1" for a single one
TYPE = "riseml.io/type"
INDEX = "riseml.io/index"

CONFIG = "riseml.io/config"  # the text of riseml.yml
REVISION = "riseml.io/revision"  # commit of the snapshot
KILLED = "riseml.io/killed"  # `<cell or *>=<RFC 3339 time>` entries joined by commas; there, and empty, from the start

TITLE = "workflows.argoproj.io/title"
DESCRIPTION = "workflows.argoproj.io/description"
