"""What experiments run: their plan, and where their code and their image come from.

    recorded   what a Workflow of an earlier run ran, from its riseml.yml and its revision
    current    what a folder contains now

`differences` says in words how the two differ.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.client import identity
from riseml.client.context import ClientContext
from riseml.client.repeat_types import FolderCode
from riseml.dataclass import dataclass, replace
from riseml.engines.code import KeepsCode
from riseml.errors import ConfigError, Fault, OtherCodeError, RiseMLError
from riseml.excerpts import first_of
from riseml.plan import ExperimentSet, GitState
from riseml.settings import PROCESS
from riseml.status import SetStatus, ShardStatus

if TYPE_CHECKING:
    from riseml.project.revision_diff import CodeDifference

_MAX_FILES = 3


@dataclass(frozen=True)
class Code:
    """What experiments run; the fields are those of a `Submission`.

    `warnings` are those about the riseml.yml of a folder.
    """

    plan: ExperimentSet
    revision: str
    excluded: Mapping[str, tuple[str, ...]]
    git: GitState | None = None
    base: str = ""
    node: str = ""
    runner: str = ""
    warnings: tuple[Fault, ...] = ()


def recorded(run: SetStatus, shard: ShardStatus) -> Code:
    """Return what the experiments of one Workflow of a run ran.

    Raises:
        RiseMLError: nothing says that any more, or this version cannot read it.
    """
    if not (shard.config and shard.revision):
        raise RiseMLError(
            f"what {run.id} ran is not recorded, so it cannot be repeated",
            "Only runs that `riseml train` has started can.",
        )
    from riseml import config, planner

    try:
        loaded = config.load_text(shard.config, f"riseml.yml of {run.id}")
        plan = planner.plan(loaded, shard.seed)
    except ConfigError as error:
        raise RiseMLError(
            f"this version of riseml cannot read the riseml.yml of {run.id}: {error}",
            "Use the version that started it.",
        ) from error
    return Code(
        plan,
        shard.revision,
        run.excluded,
        run.git,
        shard.base_image,
        runner=runner_of(shard),
    )


def runner_of(shard: ShardStatus) -> str:
    """Return what ran the jobs of a Workflow; older ones do not say that it was processes."""
    return shard.runner or PROCESS


def current(
    context: ClientContext, folder: FolderCode, seed: int | None = None
) -> Code:
    """Return what a folder contains, after a snapshot of it.

    `seed` is that of a search whose riseml.yml leaves it open.

    Raises:
        ConfigError: its riseml.yml has faults; nothing was stored.
        HomeError: the code cannot be stored.
    """
    from riseml.client import config_file
    from riseml.project import user_git
    from riseml.project.excluded import named

    loaded = config_file.load(folder.path, folder.overrides)
    plan = config_file.plan(loaded, seed)
    snapshot = context.snapshot(plan.project, folder.path, folder.gitignore)
    if folder.on_sync:
        folder.on_sync(snapshot)
    git = user_git.read(Path(folder.path).absolute().parent)
    return Code(
        plan,
        snapshot.revision,
        named(snapshot.excluded),
        git,
        node=folder.node,
        warnings=loaded.warnings,
    )


def check_same(
    context: ClientContext,
    run: SetStatus,
    shard: ShardStatus,
    code: Code,
    *,
    other_code: bool,
) -> None:
    """Check that code is what a Workflow of a run ran, unless it may be other code.

    Raises:
        OtherCodeError: it is not.
    """
    if other_code:
        return
    differing = differences(context, run, shard, code)
    if differing:
        raise OtherCodeError(
            f"experiments of {run.id} ran other code or another configuration; what"
            f" differs: {', '.join(differing)}",
            "Agree with -y, or start a new run with `riseml train`.",
        )


def differences(
    context: ClientContext, run: SetStatus, shard: ShardStatus, code: Code
) -> list[str]:
    """Return in words how code differs from what a Workflow of a run ran."""
    old = recorded(run, shard)
    differing = identity.changes(old.plan, code.plan)
    if old.revision != code.revision:
        differing.insert(0, f"code{_changed_files(context, run, shard, code)}")
    return differing


def _changed_files(
    context: ClientContext, run: SetStatus, shard: ShardStatus, code: Code
) -> str:
    """Return some names of changed files in brackets; empty if they cannot be read."""
    engine = context.engine
    if not isinstance(engine, KeepsCode):
        return ""
    from riseml.project import revision_diff
    from riseml.project.revision_diff import StoredRevision

    # They are only details.
    with suppress(RiseMLError, OSError):
        repository = engine.repository(replace(run, revision=shard.revision))
        old = StoredRevision(repository, shard.revision)
        new = StoredRevision(repository, code.revision)
        return _listed(revision_diff.compare(old, new))
    return ""


def _listed(difference: "CodeDifference") -> str:
    paths = [change.path for change in difference.files]
    return f" ({first_of(paths, _MAX_FILES)})" if paths else ""
