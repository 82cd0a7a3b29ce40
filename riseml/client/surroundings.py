"""Facts about what the log of a failed job complains about: files, modules, ports.

Nothing is looked up unless a log asks for it, and whatever cannot be read is left out.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from riseml import ids
from riseml.client import config_file, project_folder
from riseml.client.context import ClientContext
from riseml.dataclass import replace
from riseml.diagnosis.evidence import Evidence, Surroundings
from riseml.diagnosis.missing_files import excluded_match, missing_paths
from riseml.diagnosis.missing_modules import missing_module
from riseml.engines.capabilities import HasVolumes, SharesItsMachine
from riseml.errors import RiseMLError

if TYPE_CHECKING:
    from riseml.engines import Engine

# A log may mention many paths, and each takes a moment on a cluster.
_MAX_PATHS = 20
# Words of a message, such as `data`, are not paths.
_RELATIVE = re.compile(r"[^/].*[/.].*")
_IN_PROJECT = re.compile(r"(?!\.\./|/).*[/.].*")
# Nothing exists below a file.
_NOWHERE = Path(os.devnull, "nowhere")


def look(context: ClientContext, evidence: Evidence) -> Surroundings:
    """Return the facts that the logs of evidence ask for."""
    lines = [*chain.from_iterable(evidence.logs.values())]
    paths = _unexplained_paths(evidence, lines)
    module = missing_module(lines)
    surroundings = _recorded(context.engine, evidence)
    if not paths and not module:
        return surroundings
    folder = _project_folder(evidence)
    code = _code(context, evidence)
    return replace(
        surroundings,
        data_files=_data_files(context.engine, paths),
        outside_files=_outside_files(folder, paths),
        new_files=_new_files(folder, code, paths),
        code=code,
        own_code=_own_code(folder, evidence),
    )


def _recorded(engine: "Engine", evidence: Evidence) -> Surroundings:
    """Return what an engine recorded when jobs failed."""
    python = None
    holders = {}
    memory_limits = {}
    if isinstance(engine, SharesItsMachine):
        for name in evidence.logs:
            job = ids.parse(name)
            python = python or engine.python(job)
            holders[name] = engine.port_holder(job)
            memory_limits[name] = engine.memory_limit(job)
    return Surroundings(python=python, holders=holders, memory_limits=memory_limits)


def _unexplained_paths(evidence: Evidence, lines: list[str]) -> tuple[str, ...]:
    """Return missing paths, none if an ignore file is the explanation."""
    paths = missing_paths(lines)
    if excluded_match(evidence.run.excluded, paths):
        return ()
    return paths[:_MAX_PATHS]


def _project_folder(evidence: Evidence) -> Path:
    """Return the folder of the run's project if the command runs in it, else an empty one."""
    with suppress(RiseMLError, OSError):
        path = project_folder.config_file()
        if config_file.load(path).project == evidence.run.project:
            return Path(path).absolute().parent
    return _NOWHERE


def _code(context: ClientContext, evidence: Evidence) -> frozenset[str]:
    """Return the paths of the code of a run, if this machine took the snapshot."""
    from riseml.project import revision_files

    run = evidence.run
    with suppress(RiseMLError, OSError):
        home = context.settings.home
        return frozenset(revision_files.contents(home, run.project, run.revision))
    return frozenset()


def _data_files(engine: "Engine", paths: Iterable[str]) -> dict[str, str]:
    """Return the file of the data volume for each missing path."""
    candidates: dict[str, str] = {}
    for path in filter(_IN_PROJECT.fullmatch, paths):
        # The volume may hold `train.csv` of the missing `data/train.csv`.
        candidates[path.partition("/")[2] or path] = path
        candidates[path] = path
    existing: dict[str, str] = {}
    if candidates and isinstance(engine, HasVolumes):
        with suppress(RiseMLError, OSError):
            for entry in filter(None, engine.volume("data").stat([*candidates])):
                existing[candidates[entry.path]] = entry.path
    return existing


def _outside_files(folder: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the file above the project's folder for each missing path."""
    outside = {}
    for path in filter(_RELATIVE.fullmatch, paths):
        files = [above / path.removeprefix("../") for above in _folders_above(folder)]
        existing = filter(Path.exists, map(Path.resolve, files))
        file = next(existing, folder.resolve())
        if not file.is_relative_to(folder.resolve()):
            outside[path] = os.path.relpath(file, folder)
    return outside


def _folders_above(folder: Path) -> list[Path]:
    """Return the folders above a project in its Git working tree; else its parent."""
    count = 1
    for depth, above in enumerate(folder.parents, 1):
        if (above / ".git").exists():
            count = depth
            break
    return list(folder.parents[:count])


def _new_files(
    folder: Path, code: frozenset[str], paths: Iterable[str]
) -> frozenset[str]:
    """Return the missing paths that the project's folder has, but not the run's code."""
    if not code:
        return frozenset()
    files = {path for path in paths if (folder / path).is_file()}
    return frozenset(filter(_IN_PROJECT.fullmatch, files - code))


def _own_code(folder: Path, evidence: Evidence) -> frozenset[str]:
    """Return the excluded folders that hold Python files."""
    entries = chain.from_iterable(evidence.run.excluded.values())
    return frozenset(filter(partial(_holds_python, folder), entries))


def _holds_python(folder: Path, entry: str) -> bool:
    return "*" not in entry and any((folder / entry).glob("*.py"))
