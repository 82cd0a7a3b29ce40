"""Administrator's connection to the cluster, by a kubeconfig."""

import os
from pathlib import Path

from riseml.cluster import contexts
from riseml.cluster.api import Api
from riseml.cluster.connection import from_kubeconfig
from riseml.settings import Settings


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


def is_meant(settings: Settings) -> bool:
    """Return whether the user is an administrator: with KUBECONFIG, and without a key.

    Whoever has chosen this machine or a context is a user.
    """
    if not os.environ.get("KUBECONFIG") or "engine" in settings.origins:
        return False
    return not contexts.load(settings.file).is_chosen
