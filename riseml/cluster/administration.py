"""How an administrator reaches the cluster: by a kubeconfig, the one of the context in use or the usual one."""

from pathlib import Path

from riseml.cluster import contexts
from riseml.cluster.api import Api
from riseml.cluster.connection import from_kubeconfig


def connect(file: Path, kubeconfig: str | None = None) -> Api:
    """Return the API for administrators; `file` is the user's settings file.

    Without a kubeconfig it is the one of the context in use, where that was made from one, else KUBECONFIG.

    Raises:
        InvalidInputError: there is no kubeconfig, or it is not usable.
    """
    if kubeconfig is None:
        known = contexts.load(file)
        if known.kubeconfig:
            return Api(known.connection())
    return Api(from_kubeconfig(kubeconfig))
