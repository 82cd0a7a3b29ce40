"""Files of a project's code by path: those of a revision, or those of a folder."""

import posixpath
from collections.abc import Callable, Iterable, Mapping

from riseml.dataclass import dataclass

TOP = "."
"""The path of the project's folder itself."""

_OUTSIDE = ("/", "../")


@dataclass(frozen=True)
class ProjectFiles:
    """The files of a project.

    `digests` maps each path to a digest of its mode and content. `read` returns the text of
    a file by its path.
    """

    digests: Mapping[str, str]
    read: Callable[[str], str]

    def below(self, folder: str) -> list[str]:
        """Return the files below a folder."""
        if folder == TOP:
            return list(self.digests)
        start = f"{folder}/"
        return [path for path in self.digests if path.startswith(start)]

    def exists(self, path: str) -> bool:
        """Return whether a path is a file, or a folder with files."""
        return path in self.digests or bool(self.below(path))

    def text(self, path: str) -> str:
        """Return the text of a file; empty if there is none."""
        return self.read(path) if path in self.digests else ""


def relative(word: str, folder: str) -> str:
    """Return the path that a word stands for in a folder; empty outside of the project.

    Install steps run in /code, which has the project's files.
    """
    absolute = posixpath.normpath(posixpath.join("/code", folder, word))
    path = posixpath.relpath(absolute, "/code")
    return "" if f"{path}/".startswith(_OUTSIDE) else path


def relative_to_any(word: str, folders: Iterable[str]) -> list[str]:
    """Return the paths that a word may stand for in several folders."""
    return list(filter(None, (relative(word, folder) for folder in folders)))
