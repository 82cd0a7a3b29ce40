"""Further volumes of jobs on a cluster, besides those for data, output and code."""

from riseml.dataclass import dataclass


@dataclass(frozen=True)
class Volume:
    """Claim of a user's namespace, and the folder at which jobs find its files."""

    name: str
    claim: str
    path: str
    read_only: bool = True

    @property
    def id(self) -> str:
        """The name of the volume in a pod, unlike those of all others."""
        return f"volume-{self.name}"
