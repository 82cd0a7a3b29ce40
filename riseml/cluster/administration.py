"""Administrator's connection to the cluster, by a kubeconfig."""

from pathlib import Path

from riseml.cluster import contexts
from riseml.cluster.api import Api
from riseml.cluster.connection import from_kubeconfig


def connect(file: Path, kubeconfig: str | None = None) -> Api:
    """Return the API for administrators; `file` is the user's settings file.

    Without `kubeconfig`, the current context is used if it comes from a kubeconfig, and
    otherwise KUBECONFIG.

    Raises:
        InvalidInputError: there is no kubeconfig, or it cannot be used.
    """
    if kubeconfig is None:
        settings = contexts.load(file)
        # A context made from an API key has a user's rights only.
        if settings.kubeconfig:
            return Api(settings.connection())
    return Api(from_kubeconfig(kubeconfig))
