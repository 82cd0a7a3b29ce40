"""Which image a plan's install steps make, and whether there is one: key ──▶ digest, kept in the user's own namespace.

The ConfigMap `riseml-images` maps keys to `image@sha256:… <day of last use>`. Only its user can write there, so nobody
else can put another image under a key. A build that has ended since is found by the label of its Workflow.

It also maps `base-<digest of a name>` to what the tag of a base image was when its registry last told: where that does
not answer, this goes on to count, and no image is built anew for want of an answer.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from riseml import labels
from riseml.cluster import registry
from riseml.cluster.api import Api, path
from riseml.cluster.store import StorePod
from riseml.plan import Build, ExperimentSet, Target
from riseml.project.image_key import BASE, ImageKey, image_key
from riseml.project.revision_files import contents

KEPT = "riseml-images"
_BASE = "base-"
_DIGEST = re.compile(r"[^/]+/.+@sha256:[0-9a-f]{64}")
# HTTP status
_NOT_THERE = 404
# How long a registry that did not answer is not asked again: one that has never, and one that has. It takes seconds.
_SILENCE, _HICCUP = timedelta(hours=1), timedelta(minutes=5)


class Images:
    """The images of one user's namespace."""

    def __init__(
        self, api: Api, namespace: str, store: StorePod, target: Target
    ) -> None:
        self._api, self._store, self._target = api, store, target
        self._namespace, self._path = namespace, path("configmaps", namespace, KEPT)

    def key(
        self, plan: ExperimentSet, home: Path, revision: str, base: str | None = None
    ) -> ImageKey:
        """Return the key of a plan's image for the code of a revision in the home's repository.

        `base` is the image that install steps start from; None for what the registry says of the plan's now.

        Raises:
            ProjectError: the code cannot be read.
        """
        files = contents(home, plan.project, revision)
        return image_key(
            plan, files, base=self.base(plan.image) if base is None else base
        )

    def build(self, wanted: ImageKey) -> Build:
        """Return the build that a key needs: none where its image is known and the registry still has it."""
        kept = self._kept.get(wanted.text, "")
        image = kept.partition(" ")[0] or self._built(wanted.text)
        if image and not self._is_there(image):
            image = None
        if image and (used := f"{image} {datetime.now(UTC).date()}") != kept:
            self._keep(wanted.text, used)
        return Build(wanted.text, wanted.files, image, wanted.parts[BASE])

    def prune_unused(self, before: float) -> int:
        """Have the registry forget images that were last used before a time (unix seconds); return how many.

        One that cannot be deleted there stays known.
        """
        limit = datetime.fromtimestamp(before, UTC).date().isoformat()
        found = {
            key: value.split(" ")
            for key, value in self._kept.items()
            if not key.startswith(_BASE)
        }
        old = {
            key: image
            for key, (image, *used) in found.items()
            if not used or used[0] < limit
        }
        needed = {image for key, (image, *_) in found.items() if key not in old}
        gone = [
            key for key, image in old.items() if image in needed or self._forget(image)
        ]
        if gone:
            self._api.patch(self._path, {"data": dict.fromkeys(gone)})
        return len(gone)

    def base(self, image: str) -> str:
        """Return an image with the digest that its tag has now, or had when its registry last answered; else as it is.

        A registry with a login is not asked: users cannot read the Secret for it.
        """
        if "@" in image:
            return image
        key = f"{_BASE}{hashlib.sha256(image.encode()).hexdigest()[:24]}"
        before: Mapping[str, str] = json.loads(self._kept.get(key) or "{}")
        digest, now = before.get("digest", ""), datetime.now(UTC)
        silent = before.get("silent")
        if silent is None or now - datetime.fromisoformat(silent) > (
            _HICCUP if digest else _SILENCE
        ):
            told = self._ask(image)
            after = {
                "image": image,
                "digest": told or digest,
                **({} if told else {"silent": now.isoformat()}),
            }
            if after != before:
                self._keep(key, json.dumps(after))
            digest = told or digest
        return f"{image}@{digest}" if digest else image

    def _ask(self, image: str) -> str:
        """Return the digest of an image's tag; empty where nobody tells."""
        where, what = registry.manifest(image)
        own = where == self._target.registry
        address = registry.url(
            where, what, insecure=own and self._target.insecure_registry
        )
        return ("" if own else registry.digest_from_here(address)) or registry.ask(
            self._store, address
        ).digest

    def _built(self, wanted: str) -> str | None:
        """Return the image of a build that has ended since somebody last looked."""
        found = self._api.items(
            path("workflows", self._namespace),
            labelSelector=f"{labels.IMAGE_KEY}={wanted}",
            limit=5,
        )
        for workflow in found:
            for node in (workflow.get("status", {}).get("nodes") or {}).values():
                if (
                    node.get("templateName") == "build"
                    and node.get("phase") == "Succeeded"
                ):
                    told = node.get("outputs", {}).get("parameters", ())
                    image = next(
                        (each.get("value") for each in told if each["name"] == "image"),
                        None,
                    )
                    if image:
                        return str(image)
        return None

    def _is_there(self, image: str) -> bool:
        address = self._address(image)
        # Where nothing here can ask, or nobody answers, it is taken to be there.
        return bool(address) and registry.ask(self._store, address).status != _NOT_THERE

    def _forget(self, image: str) -> bool:
        address = self._address(image)
        return not address or registry.forget(self._store, address)

    def _address(self, image: str) -> str:
        """Return where the registry has a built image; empty for what is no such image."""
        if not _DIGEST.fullmatch(image):
            return ""
        where, what = registry.manifest(image)
        return registry.url(where, what, insecure=self._target.insecure_registry)

    @cached_property
    def _kept(self) -> Mapping[str, str]:
        return (self._api.find(self._path) or {}).get("data") or {}

    def _keep(self, key: str, value: str) -> None:
        self._api.patch(self._path, {"data": {key: value}})
