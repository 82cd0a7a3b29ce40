"""Images that a container program of this machine has."""

from collections.abc import Mapping
from typing import Any

from riseml.dataclass import dataclass
from riseml.engines.local.containers.names import qualified, repository
from riseml.engines.local.containers.program import ContainerProgram


@dataclass(frozen=True)
class LocalImage:
    """An image that is present: its id, and the digests that registries know it by.

    All begin with `sha256:`. An image that was never pushed or pulled may have no digest.
    """

    id: str
    digests: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """The digest that stands for the image in a build key."""
        return self.digests[0] if self.digests else self.id


def find(program: ContainerProgram, image: str) -> LocalImage | None:
    """Return an image that is present, None if it has to be pulled.

    Raises:
        RiseMLError: the container program does not answer.
    """
    record = program.inspect_image(reference(image))
    return None if record is None else _local_image(record, image)


def reference(image: str) -> str:
    """Return an image as container programs take it: without its tag if it has a digest."""
    name, at, digest = image.partition("@")
    return f"{repository(name)}@{digest}" if at else name


def _local_image(record: Mapping[str, Any], image: str) -> LocalImage:
    name = repository(image)
    names = {qualified(name), f"localhost/{name}"}
    digests = []
    for text in record.get("RepoDigests") or ():
        known_name, _, digest = text.partition("@")
        # The same image may be known by several names.
        if qualified(known_name) in names:
            digests.append(digest)
    id_ = str(record["Id"])
    return LocalImage(id_ if ":" in id_ else f"sha256:{id_}", tuple(digests))
