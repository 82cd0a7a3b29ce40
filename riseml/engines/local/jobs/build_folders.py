"""Where the build of an environment works on this machine, and what of the user's own packages it may see."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from riseml.engines.local.home import HomeLayout
from riseml.status import document as doc

BUILT = "built"
"""The folder of an environment in which install steps run."""

_KEY_LENGTH = 24
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_PACKAGE_VARIABLES = frozenset(
    ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV")
)


def without_packages(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which no Python package of the user is found."""
    isolated = dict(environment)
    for name in _PACKAGE_VARIABLES:
        isolated.pop(name, None)
    hidden = f"{environment.get('VIRTUAL_ENV')}/bin"
    path = environment.get("PATH", _DEFAULT_PATH).split(":")
    isolated["PATH"] = ":".join(filter(hidden.__ne__, path))
    return isolated


def environment_of(layout: HomeLayout, container: Mapping[str, Any]) -> Path:
    """Return the environment that the container of a build makes."""
    key = doc.variables(container).get("IMAGE_KEY")
    if not key:
        # A document of `riseml compile` has no key. The same document is the same image.
        text = json.dumps(container, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
    return layout.home / "envs" / key
