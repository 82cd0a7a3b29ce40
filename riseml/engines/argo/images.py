"""Which image a plan's install steps make, and whether there is one: key ──▶ digest, kept in the user's own namespace.

The ConfigMap `riseml-images` maps keys to `image@sha256:…`. Only its user can write there, so nobody else can put
another image under a key. A build that has ended since is found by the label of its Workflow.
"""

import re
from pathlib import Path

from riseml import labels
from riseml.cluster import registry
from riseml.cluster.api import Api, path
from riseml.cluster.store import StorePod
from riseml.images import ImageKey, image_key
from riseml.project.listing import contents
from riseml.spec import Build, ExperimentSet

KEPT = "riseml-images"
_DIGEST = re.compile(r"(?P<registry>[^/]+)/(?P<name>.+)@(?P<digest>sha256:[0-9a-f]{64})")
_NOT_THERE = 404  # HTTP status


def key(plan: ExperimentSet, home: Path, revision: str) -> ImageKey:
    """Return the key of a plan's image for the code of a revision in the home's repository.

    Raises:
        ProjectError: the code cannot be read.
    """
    return image_key(plan, contents(home, plan.project, revision))


class Images:
    """The images of one user's namespace."""

    def __init__(self, api: Api, namespace: str, store: StorePod) -> None:
        self._api, self._namespace, self._store = api, namespace, store

    def build(self, wanted: ImageKey, *, insecure: bool) -> Build:
        """Return the build that a key needs: none where its image is known and the registry still has it."""
        kept = (self._api.find(self._path) or {}).get("data") or {}
        image = kept.get(wanted.text) or self._built(wanted.text)
        if image and not self._is_there(image, insecure=insecure):
            image = None
        if image and image != kept.get(wanted.text):
            self._api.patch(self._path, {"data": {wanted.text: image}})
        return Build(wanted.text, wanted.files, image)

    def _built(self, wanted: str) -> str | None:
        """Return the image of a build that has ended since somebody last looked."""
        found = self._api.items(
            path("workflows", self._namespace), labelSelector=f"{labels.IMAGE_KEY}={wanted}", limit=5
        )
        for workflow in found:
            for node in (workflow.get("status", {}).get("nodes") or {}).values():
                if node.get("templateName") == "build" and node.get("phase") == "Succeeded":
                    told = node.get("outputs", {}).get("parameters", ())
                    image = next((each.get("value") for each in told if each["name"] == "image"), None)
                    if image:
                        return str(image)
        return None

    def _is_there(self, image: str, *, insecure: bool) -> bool:
        match = _DIGEST.fullmatch(image)
        if match is None:
            return False
        what = f"{match['name']}/manifests/{match['digest']}"
        # Where nothing here can ask, or nobody answers, it is taken to be there.
        answer = registry.ask(self._store, registry.url(match["registry"], what, insecure=insecure))
        return answer.status != _NOT_THERE

    @property
    def _path(self) -> str:
        return path("configmaps", self._namespace, KEPT)
