"""Files on which the installation of a local package depends if its code stays where it is (`pip install -e`).

    pyproject.toml, setup.py, locks, files that those name, sources to compile    their content
    folders with Python files                                                     their names

An edit of Python files needs no second installation: jobs import them where they are.
"""

import hashlib
import posixpath
import re
from functools import partial

from riseml.project import shell_words
from riseml.project.project_files import ProjectFiles, relative

_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg")
# Files about the package, which are at its top, and sources that an installation compiles.
_INPUT = re.compile(
    r"pyproject\.toml|setup\.(?:py|cfg)|MANIFEST\.in|(?:requirements|constraints)[^/]*\.(?:txt|in)"
    r"|[^/]*\.lock|pylock\.toml|VERSION[^/]*|version\.txt"
    r"|.*\.(?:c|cc|cpp|cxx|cu|cuh|h|hh|hpp|pyx|pxd|pxi|rs|f|f90|cmake)"
    r"|(?:.*/)?(?:CMakeLists\.txt|meson\.build|Cargo\.toml)"
)
# Python code is imported where it is, and texts about the package do not change it.
_IRRELEVANT = re.compile(
    r".*\.(?:py|pyi|md|rst|ipynb)|(?:.*/)?(?:README|LICEN[CS]E|COPYING|AUTHORS|NOTICE|CHANGELOG)[^/]*"
)
_FILE_NAME = re.compile(r"/[^/]*$")


def is_package(folder: str, project: ProjectFiles) -> bool:
    """Return whether pip can install a folder."""
    paths = map(partial(posixpath.join, folder), _MARKERS)
    return not project.digests.keys().isdisjoint(map(posixpath.normpath, paths))


def inputs(folder: str, project: ProjectFiles) -> set[str]:
    """Return the files whose content an installation of a folder's package depends on."""
    chosen = _mentioned(folder, project) & project.digests.keys()
    irrelevant = set(filter(_IRRELEVANT.fullmatch, chosen))
    about = [
        path
        for path in project.below(folder)
        if _INPUT.fullmatch(posixpath.relpath(path, folder))
    ]
    return (chosen - irrelevant).union(about)


def neighbors(folder: str, project: ProjectFiles) -> set[str]:
    """Return the folders of other packages that a package names, such as `../lib`."""
    mentioned = _mentioned(folder, project) - {folder}
    return set(filter(partial(is_package, project=project), mentioned))


def layout(folder: str, project: ProjectFiles) -> str:
    """Return a digest of the names that make a package: folders with Python files, modules at the top."""
    names = set()
    for path in project.below(folder):
        if path.endswith(".py"):
            names.add(_FILE_NAME.sub("/", posixpath.relpath(path, folder)))
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _mentioned(folder: str, project: ProjectFiles) -> set[str]:
    """Return the paths that the files about a package may name."""
    paths = map(partial(relative, folder=folder), _MARKERS)
    text = "\n".join(map(project.text, paths))
    words = shell_words.names(re.sub(r"[\[\]{},]", " ", text))
    return set(map(partial(relative, folder=folder), words))
