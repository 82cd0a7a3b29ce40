"""Packages that RiseML needs, as the metadata of an environment lists them.

Reading the files takes about 2 ms, while importlib.metadata takes 40 ms to load.
"""

import re
import sys
from functools import cache
from pathlib import Path

from riseml.dataclass import dataclass

DISTRIBUTION = "riseml2"
"""Name of RiseML on the package index."""
# The client of 2018 there, which has the same package and command.
_EARLIER_CLIENT = "riseml"
# Installers, which are part of any virtual environment
_INSTALLERS = frozenset({"pip", "setuptools", "wheel", "uv"})
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)\])?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")
_REQUIREMENTS = re.compile(r"^Requires-Dist: (.*)$", re.MULTILINE)
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class Requirement:
    """A distribution that another one needs, with extras of its own.

    `only_for` is the extra of the other one that needs it, empty without one.
    """

    name: str
    extras: frozenset[str]
    only_for: str


# A command that submits a run asks for the PATH of the jobs, and for its note about it.
@cache
def has_others(prefix: Path) -> bool:
    """Return whether an environment contains distributions that RiseML does not need.

    One that does not list RiseML is not its own, so the result is true.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = prefix / "lib" / version / "site-packages"
    environment = _Environment()
    for folder in packages.glob("*.dist-info"):
        name, _, _ = folder.stem.rpartition("-")
        environment.files[_normalized(name)] = folder / "METADATA"
    if DISTRIBUTION not in environment.files:
        return True
    others = environment.files.keys() - _needed(environment) - _INSTALLERS
    # An interrupted uninstallation may leave the folder behind.
    return any(environment.files[name].exists() for name in others)


def earlier_client(packages: Path) -> str:
    """Return the name and version of the client of 2018 in a folder of packages, empty without it."""
    for pattern in (f"{_EARLIER_CLIENT}-*.dist-info", f"{_EARLIER_CLIENT}-*.egg-info"):
        for folder in packages.glob(pattern):
            # An egg's name ends with the version of Python: riseml-0.3.9-py3.11.
            _, version, *_ = folder.stem.split("-")
            return f"{_EARLIER_CLIENT} {version}"
    return ""


class _Environment:
    """Distributions of an environment; only those that are asked for are read."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}

    def requirements(self, name: str) -> list[Requirement]:
        """Return what a distribution needs, nothing if it is not installed."""
        file = self.files.get(name)
        return _read(file) if file and file.exists() else []


def _read(file: Path) -> list[Requirement]:
    """Return the requirements of a distribution."""
    # The description that follows is often a hundred times as long.
    header, _, _ = file.read_bytes().partition(b"\n\n")
    text = header.decode("utf-8", "replace")
    return [_requirement(value) for value in _REQUIREMENTS.findall(text)]


def _requirement(text: str) -> Requirement:
    """Return the requirement that a line of metadata states."""
    specification, _, marker = text.partition(";")
    match = _REQUIREMENT.match(specification.strip())
    name, extras = match.group("name", "extras") if match else ("", "")
    extra = _EXTRA.search(marker)
    return Requirement(
        _normalized(name),
        frozenset(map(_normalized, (extras or "").split(","))),
        _normalized(extra[1]) if extra else "",
    )


def _needed(environment: _Environment) -> set[str]:
    """Return the distributions that RiseML needs, with those of its installed extras."""
    extras = set()
    for requirement in environment.requirements(DISTRIBUTION):
        if requirement.name in environment.files:
            extras.add(requirement.only_for)
    pending = [Requirement(DISTRIBUTION, frozenset(extras), "")]
    seen = set()
    while pending:
        parent = pending.pop()
        if parent in seen:
            continue
        seen.add(parent)
        for requirement in environment.requirements(parent.name):
            if requirement.only_for in {"", *parent.extras}:
                pending.append(requirement)
    return {requirement.name for requirement in seen}


def _normalized(name: str) -> str:
    return _SEPARATORS.sub("-", name.strip()).lower()
