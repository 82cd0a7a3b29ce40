"""Rights that administrators need to install RiseML and to create users."""

from collections.abc import Iterator
from itertools import chain

from riseml.cluster import SYSTEM, namespace_objects
from riseml.cluster.api import Api, Object
from riseml.cluster.api_paths import is_namespaced, plural
from riseml.cluster.installation import objects
from riseml.cluster.values import Values
from riseml.dataclass import dataclass

# Server-side apply creates an object with the second right, too.
_VERBS = ("create", "patch")
_USER_FILES = (
    "namespace.yaml",
    "accounts.yaml",
    "rights.yaml",
    "claims.yaml",
    "service.yaml",
    "settings.yaml",
    "store.yaml",
)


# The values may ask for a volume of each claim.
_VOLUME: Object = {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": {}}


@dataclass(frozen=True, order=True)
class _Right:
    """Right to send a request; an empty namespace stands for all."""

    namespace: str
    resource: str
    verb: str
    group: str

    def is_granted(self, api: Api) -> bool:
        return api.may(self.verb, self.resource, self.namespace, group=self.group)

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} in {self.namespace or 'all namespaces'}"


def missing(api: Api, values: Values) -> list[str]:
    """Return the rights that the user lacks, such as `create roles in all namespaces`."""
    lacking = []
    for right in sorted(_rights(values)):
        if not right.is_granted(api):
            lacking.append(str(right))
    return lacking


def _rights(values: Values) -> set[_Right]:
    """Return the rights for the objects of SYSTEM, and for those of any user."""
    rights: set[_Right] = set()
    for body in objects(values):
        rights.update(_for(body, SYSTEM))
    users = chain.from_iterable(map(namespace_objects.read, _USER_FILES))
    for body in [*users, _VOLUME]:
        rights.update(_for(body, ""))
    return rights


def _for(body: Object, namespace: str) -> Iterator[_Right]:
    """Yield the rights to create and change an object."""
    kind, version = body["kind"], body["apiVersion"]
    # The core group has a version, but no name.
    group = version.rpartition("/")[0]
    owner = body["metadata"].get("namespace", namespace)
    if not is_namespaced(kind):
        owner = ""
    for verb in _VERBS:
        yield _Right(owner, plural(kind), verb, group)
