"""Arguments of `pip install` and lines of requirements files: which local files they name.

pip install -r base.txt -e ./lib[extra] ──▶ (REQUIREMENTS, "base.txt"), (EDITABLE, "./lib")
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import chain
from typing import NamedTuple


class Kind(Enum):
    """What a path is to pip."""

    REQUIREMENTS = "requirements"
    EDITABLE = "editable"
    PACKAGE = "package"
    FILES = "files"


class Reference(NamedTuple):
    """A path as it is written, and what it is to pip."""

    kind: Kind
    path: str


# In these patterns, NUL separates words.
_PIP_INSTALL = re.compile(
    r"(?:^|\0)(?:[^\0]*/)?pip(?:3(?:\.\d+)?)?\0(?:[^\0]+\0)*?install(?:\0|$)"
)
# Tools that install the project in the current folder so that its code stays where it is.
_PROJECT_TOOL = re.compile(
    r"(?:^|\0)(?:uv\0sync|poetry\0install|pdm\0(?:install|sync))"
)
_SETUP = re.compile(r"(?:^|\0)(?P<folder>[^\0]*/)?setup\.py\0(?P<verb>[a-z]+)")

_OPTION = re.compile(
    r"(?P<requirements>-[rc].*|--(?:requirements?|(?:build-)?constraints?|override)(?:=.*)?)"
    r"|(?P<editable>-e.*|--editable(?:=.*)?)"
    r"|(?P<files>-f.*|--find-links(?:=.*)?)"
)
_OPTION_NAME = re.compile(r"-[rcef]|--[a-z-]+=?")
# Paths, but not names of packages and other addresses than files.
_LOCAL = re.compile(
    r"(?:[\w.-]+(?:\[[^\]]*\])?@)?"
    r"(?P<path>file:.+|\.[^:]*|[^:]*/[^:]*|[^:]+(?:\.whl|\.zip|\.tar\.gz|\.tgz))"
)
_FILE_URL = re.compile(r"file:(?://)?(?P<path>[^#]+)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_EXTRAS = re.compile(r"\[[^\]/]*\]$")
_COMMENT = re.compile(r"(?:^|\s)#.*$")


def of_command(words: Sequence[str]) -> list[Reference] | None:
    """Return what a command names for pip; None for a command that is not about packages."""
    text = "\0".join(words)
    if _PROJECT_TOOL.search(text):
        return [Reference(Kind.EDITABLE, ".")]
    setup = _SETUP.search(text)
    if setup:
        kind = Kind.EDITABLE if setup["verb"] == "develop" else Kind.PACKAGE
        return [Reference(kind, setup["folder"] or ".")]
    install = _PIP_INSTALL.search(text)
    if install is None:
        return None
    return list(_references(text[install.end() :].split("\0")))


def of_requirements(text: str) -> Iterator[Reference]:
    """Return what the lines of a requirements file name, or those of an environment.yml."""
    lines = text.replace("\\\n", " ").splitlines()
    return chain.from_iterable(map(_of_line, lines))


def _of_line(line: str) -> Iterator[Reference]:
    # conda's files list requirements as `- pip: [...]`, one below the other.
    content = _COMMENT.sub("", line).strip().removeprefix("- ")
    return _references(content.split())


def _references(words: Sequence[str]) -> Iterator[Reference]:
    remaining = iter(words)
    for word in remaining:
        option = _OPTION.fullmatch(word)
        if option:
            value = _OPTION_NAME.sub("", word, count=1) or next(remaining, "")
            yield from _reference(Kind(option.lastgroup), value)
        elif _LOCAL.fullmatch(word) and not word.startswith("-"):
            yield from _reference(Kind.PACKAGE, word.rpartition("@")[2])


def _reference(kind: Kind, value: str) -> Iterator[Reference]:
    file = _FILE_URL.match(value)
    path = _EXTRAS.sub("", file["path"] if file else value)
    if path and not _ADDRESS.match(path):
        yield Reference(kind, path)
