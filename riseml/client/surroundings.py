"""Facts about what the log of a failed job complains about: files, modules, ports.

Nothing is looked up unless a log asks for it, and whatever cannot be read is left out.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from riseml import ids
from riseml.client import config_file
from riseml.client.context import CONFIG_FILE, ClientContext
from riseml.diagnosis.evidence import Evidence, Holder, Interpreter, Surroundings
from riseml.diagnosis.missing_files import excluded_match, missing_paths
from riseml.diagnosis.missing_modules import missing_module
from riseml.diagnosis.used_ports import complaints, used_port
from riseml.engines import HasVolumes, SharesItsMachine
from riseml.errors import RiseMLError

if TYPE_CHECKING:
    from riseml.engines import Engine

# A log may mention many paths, and each takes a moment on a cluster.
_MAX_PATHS = 20


def look(context: ClientContext, evidence: Evidence) -> Surroundings:
    """Return the facts that the logs of evidence ask for."""
    paths = _unexplained_paths(evidence)
    lacks_modules = any(map(missing_module, evidence.logs.values()))
    folder = None
    if paths or lacks_modules:
        folder = _project_folder(evidence)
    code: frozenset[str] = frozenset()
    if lacks_modules or (paths and folder is not None):
        code = _code(context, evidence)
    engine = context.engine
    surroundings = Surroundings(
        data_files=_data_files(engine, paths),
        outside_files=_outside_files(folder, paths),
        new_files=_new_files(folder, code, paths),
        code=code,
        own_code=_own_code(folder, evidence),
    )
    if not isinstance(engine, SharesItsMachine):
        return surroundings
    return replace(
        surroundings,
        python=_python(engine, evidence),
        holders=_holders(engine, evidence),
        neighbors=_neighbors(engine, evidence),
    )


def _unexplained_paths(evidence: Evidence) -> tuple[str, ...]:
    """Return missing paths, none of a job for which an ignore file is the explanation."""
    unexplained: dict[str, None] = {}
    for lines in evidence.logs.values():
        paths = missing_paths(lines)
        if excluded_match(evidence.run.excluded, paths) is None:
            unexplained.update(dict.fromkeys(paths))
    return tuple(unexplained)[:_MAX_PATHS]


def _project_folder(evidence: Evidence) -> Path | None:
    """Return the folder of the run's project if it is the current one."""
    with suppress(RiseMLError, OSError):
        if config_file.load(CONFIG_FILE).project == evidence.run.project:
            return Path.cwd()
    return None


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
    for path in paths:
        # The word `data` of a message is not a path.
        if path.startswith(("/", "..")) or not ("/" in path or "." in path):
            continue
        shorter = path.partition("/")[2]
        if shorter:
            candidates[shorter] = path
        candidates[path] = path
    if not candidates or not isinstance(engine, HasVolumes):
        return {}
    existing: dict[str, str] = {}
    with suppress(RiseMLError, OSError):
        names = list(candidates)
        entries = engine.volume("data").stat(names)
        for name, entry in zip(names, entries, strict=True):
            if entry is not None:
                existing[candidates[name]] = name
    return existing


def _outside_files(folder: Path | None, paths: Iterable[str]) -> dict[str, str]:
    """Return the file above the project's folder for each missing path."""
    if folder is None:
        return {}
    outside = {}
    for path in paths:
        for above in _folders_above(folder):
            file = (above / path.removeprefix("../")).resolve()
            if not path.startswith("/") and file.exists():
                if not file.is_relative_to(folder.resolve()):
                    outside[path] = os.path.relpath(file, folder)
                    break
    return outside


def _folders_above(folder: Path) -> list[Path]:
    """Return the folders above a project in its Git working tree; else its parent."""
    for count, above in enumerate(folder.parents, 1):
        if (above / ".git").exists():
            return list(folder.parents[:count])
    return list(folder.parents[:1])


def _new_files(
    folder: Path | None, code: frozenset[str], paths: Iterable[str]
) -> frozenset[str]:
    """Return the missing paths that the project's folder has, but not the run's code."""
    new = set()
    for path in paths:
        if folder is None or not code or path.startswith(("/", "..")):
            continue
        is_in_code = any(f"{name}/".startswith(f"{path}/") for name in code)
        if (folder / path).is_file() and not is_in_code:
            new.add(path)
    return frozenset(new)


def _own_code(folder: Path | None, evidence: Evidence) -> frozenset[str]:
    """Return the excluded folders that hold Python files."""
    if folder is None:
        return frozenset()
    folders = set()
    for entries in evidence.run.excluded.values():
        for entry in entries:
            if "*" not in entry and any((folder / entry).glob("*.py")):
                folders.add(entry)
    return frozenset(folders)


def _python(engine: SharesItsMachine, evidence: Evidence) -> Interpreter | None:
    """Return the Python of the first job that lacked a module."""
    for job, lines in evidence.logs.items():
        if missing_module(lines):
            with suppress(RiseMLError, OSError):
                return engine.python(ids.parse(job))
    return None


def _holders(engine: SharesItsMachine, evidence: Evidence) -> dict[str, Holder]:
    """Return who held the port of each job that found its port in use."""
    holders = {}
    for job, lines in evidence.logs.items():
        if complaints(lines):
            with suppress(RiseMLError, OSError):
                holder = engine.port_holder(ids.parse(job), used_port(lines))
                if holder is not None:
                    holders[job] = holder
    return holders


def _neighbors(engine: SharesItsMachine, evidence: Evidence) -> tuple[str, ...]:
    """Return the experiments that ran beside those whose port was in use."""
    names: dict[str, None] = {}
    for job, lines in evidence.logs.items():
        if complaints(lines):
            with suppress(RiseMLError, OSError):
                experiment = ids.parse(job).experiment
                names.update(dict.fromkeys(engine.neighbors(experiment)))
    return tuple(names)
