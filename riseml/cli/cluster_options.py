"""Options and connections of the commands for administrators of a cluster."""

from typing import TYPE_CHECKING, Annotated

from riseml import settings
from riseml.cli.parameters import Option

if TYPE_CHECKING:
    from riseml.cluster.api import Api

Kubeconfig = Annotated[
    str | None,
    Option("--kubeconfig", metavar="FILE", help="A kubeconfig other than KUBECONFIG."),
]
Context = Annotated[
    str | None,
    Option("--context", metavar="NAME", help="A context other than the current one."),
]


def connect(kubeconfig: str | None, context: str | None = None) -> "Api":
    """Return the API of a cluster with an administrator's rights.

    Raises:
        RiseMLError: the kubeconfig names no usable cluster.
    """
    from riseml.cluster import administration
    from riseml.cluster.api import Api
    from riseml.cluster.connection import from_kubeconfig

    if context is not None:
        return Api(from_kubeconfig(kubeconfig, context))
    return administration.connect(settings.load().file, kubeconfig)
