"""Images that install steps build, found by key in a ConfigMap of the user's namespace.

The ConfigMap `riseml-images` maps keys to `image@sha256:… <day of last use>`. Only its
user can write to it, so no other user can replace the image of a key. The result of a
build that has ended since is found by the label of its Workflow.

The ConfigMap also maps `base-<digest of a name>` to what the tag of a base image referred
to when its registry last answered. If the registry does not answer, that remains valid,
and no image is built again just because the question failed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

from riseml import labels
from riseml.cluster import registry
from riseml.cluster.api import Api, Object, data_of, path
from riseml.cluster.store import StorePod
from riseml.plan import Build, ExperimentSet, Target
from riseml.project.image_key import BASE, ImageKey, image_key
from riseml.project.revision_files import project_files

CONFIG_MAP = "riseml-images"
_BASE = "base-"
_BUILT_IMAGE = re.compile(r"[^/]+/.+@sha256:[0-9a-f]{64}")
# The label of Workflows that has the key of the image that a template builds.
_KEY_LABELS = {"build": labels.IMAGE_KEY, "build-search": labels.SEARCH_IMAGE_KEY}
_HTTP_NOT_FOUND = 404
# A question that fails takes seconds. A registry that has never answered is asked less often than one that has.
_PAUSE_IF_NEVER_ANSWERED, _PAUSE_IF_ANSWERED = timedelta(hours=1), timedelta(minutes=5)


class Images:
    """The images of one user's namespace."""

    def __init__(
        self, api: Api, namespace: str, store: StorePod, target: Target
    ) -> None:
        self._api, self._store, self._target = api, store, target
        self._namespace = namespace
        self._path = path("configmaps", namespace, CONFIG_MAP)

    def key(
        self, plan: ExperimentSet, home: Path, revision: str, base: str | None = None
    ) -> ImageKey:
        """Return the key of a plan's image for the code of a revision in the home.

        `base` is the image that install steps start from; None stands for what the
        registry currently returns for the plan's image.

        Raises:
            ProjectError: the code cannot be read.
        """
        files = project_files(home, plan.project, revision)
        if base is None:
            base = self.base(plan.image)
        return image_key(plan, files, base=base)

    def build(self, key: ImageKey) -> Build:
        """Return the build for a key, with its image if the registry still has that."""
        record = self._records.get(key.text, "")
        image = record.partition(" ")[0] or self._built(key.text)
        if not self._exists(image):
            return Build(key.text, key.steps, None, key.parts[BASE])
        new_record = f"{image} {datetime.now(UTC).date()}"
        if new_record != record:
            self._write(key.text, new_record)
        return Build(key.text, key.steps, image, key.parts[BASE])

    def prune_unused(self, before: float) -> int:
        """Delete images last used before a time (Unix seconds); return how many.

        An image that the registry cannot delete stays recorded.
        """
        unused = self.unused(before)
        used_images = set()
        for key, (image, _) in self._built_images().items():
            if key not in unused:
                used_images.add(image)
        removed = []
        for key, image in unused.items():
            # Two keys may have the same image; the registry has to keep it then.
            if image in used_images or self._delete(image):
                removed.append(key)
        if removed:
            self._api.patch(self._path, {"data": dict.fromkeys(removed)})
        return len(removed)

    def unused(self, before: float) -> dict[str, str]:
        """Return the images last used before a time (Unix seconds), by key."""
        limit = datetime.fromtimestamp(before, UTC).date().isoformat()
        unused = {}
        for key, (image, day) in self._built_images().items():
            if day < limit:
                unused[key] = image
        return unused

    def count(self) -> int:
        """Return the number of images, several of which may be the same."""
        return len(self._built_images())

    def _built_images(self) -> dict[str, tuple[str, str]]:
        """Return each image and the day of its last use, by key."""
        images = {}
        for key, record in self._records.items():
            if not key.startswith(_BASE):
                image, _, day = record.partition(" ")
                images[key] = image, day
        return images

    def base(self, image: str) -> str:
        """Return an image with the digest of its tag, as the registry last reported it.

        The image is returned unchanged if the registry has never answered. A registry
        with a login is not asked, because users cannot read the Secret for it.
        """
        if "@" in image:
            return image
        key = f"{_BASE}{hashlib.sha256(image.encode()).hexdigest()[:24]}"
        record: Mapping[str, str] = json.loads(self._records.get(key, "{}"))
        digest = record.get("digest", "")
        now = datetime.now(UTC)
        if _is_due(record, now):
            answer = self._ask_for_digest(image)
            new_record = {"image": image, "digest": answer}
            if not answer:
                new_record.update(digest=digest, silent=now.isoformat())
            if new_record != record:
                self._write(key, json.dumps(new_record))
            digest = new_record["digest"]
        return f"{image}@{digest}" if digest else image

    def _ask_for_digest(self, image: str) -> str:
        """Return the digest of an image's tag, empty if no registry answers."""
        host, manifest = registry.manifest(image)
        is_in_cluster = host == self._target.registry
        insecure = is_in_cluster and self._target.insecure_registry
        address = registry.url(host, manifest, insecure=insecure)
        # Only the store's pod reaches the registry of the cluster.
        digest = "" if is_in_cluster else registry.digest_from_here(address)
        return digest or registry.ask(self._store, address).digest

    def _built(self, key: str) -> str:
        """Return the image of a build that has ended but is not recorded, or ""."""
        for template, label in _KEY_LABELS.items():
            workflows = self._api.items(
                path("workflows", self._namespace),
                labelSelector=f"{label}={key}",
                limit=5,
            )
            images = map(partial(_built_image, template=template), workflows)
            image = next(filter(None, images), "")
            if image:
                return image
        return ""

    def _exists(self, image: str) -> bool:
        """Return whether the registry has an image; if it cannot be asked, assume so."""
        address = self._address(image)
        if not address:
            return False
        return registry.ask(self._store, address).status != _HTTP_NOT_FOUND

    def _delete(self, image: str) -> bool:
        address = self._address(image)
        return not address or registry.forget(self._store, address)

    def _address(self, image: str) -> str:
        """Return the address of a built image, empty if it is not one."""
        if not _BUILT_IMAGE.fullmatch(image):
            return ""
        host, manifest = registry.manifest(image)
        return registry.url(host, manifest, insecure=self._target.insecure_registry)

    @cached_property
    def _records(self) -> Mapping[str, str]:
        return data_of(self._api, self._path)

    def _write(self, key: str, value: str) -> None:
        self._api.patch(self._path, {"data": {key: value}})


def _is_due(record: Mapping[str, str], now: datetime) -> bool:
    """Return whether the registry of a base image may be asked again."""
    silent_since = record.get("silent")
    if silent_since is None:
        return True
    pause = _PAUSE_IF_ANSWERED if record.get("digest") else _PAUSE_IF_NEVER_ANSWERED
    return now - datetime.fromisoformat(silent_since) > pause


def _built_image(workflow: Object, template: str) -> str:
    """Return the image that a template of a Workflow has built, empty if there is none."""
    nodes = workflow.get("status", {}).get("nodes") or {}
    for node in nodes.values():
        if (node.get("templateName"), node.get("phase")) != (template, "Succeeded"):
            continue
        for parameter in node.get("outputs", {}).get("parameters", ()):
            if parameter["name"] == "image":
                return str(parameter.get("value", ""))
    return ""
