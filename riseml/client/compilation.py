"""Documents that `riseml compile` writes: of a RiseML installation, or standalone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml.client.types import NO_OVERRIDES, Overrides
from riseml.dataclass import dataclass, replace
from riseml.errors import InvalidInputError

if TYPE_CHECKING:
    from riseml.compiler.standalone import Keeping
    from riseml.plan import ExperimentSet, Origin


@dataclass(frozen=True)
class Export:
    """How a riseml.yml becomes a document.

    `git` is `URL` or `URL#REVISION`. A `standalone` document needs only Argo, and `keep`
    says what keeps its output: `nothing`, `new-claim[:SIZE]`, `claim:NAME` or `artifacts`.
    It is a WorkflowTemplate with `template`, and a CronWorkflow with the schedule `cron`.
    """

    git: str | None = None
    number: int | None = None
    user: str = "me"
    standalone: bool = False
    keep: str = "nothing"
    template: bool = False
    cron: str = ""


COMPILED = Export()
# A time of ten digits, as long as those of the next 260 years.
_SECONDS_SINCE_1970 = 9_999_999_999


@dataclass(frozen=True)
class Exported:
    """The documents of a riseml.yml, the Workflow last, and what they need on a cluster."""

    documents: tuple[dict[str, Any], ...]
    needs: tuple[str, ...]


def export(
    path: str | Path,
    export: Export,
    *,
    on_warning: Callable[[str], None] | None = None,
    overrides: Overrides = NO_OVERRIDES,
    gitignore: bool = True,
) -> Exported:
    """Return the documents of a riseml.yml.

    Raises:
        ConfigError: the file has faults.
        ProjectError: the code is too large for a standalone document.
        UnsupportedError: a standalone document cannot do what the file asks for.
    """
    from riseml import queues
    from riseml.client import config_file
    from riseml.compiler import gpus, limits, needs

    _check(export)
    plan = config_file.plan(config_file.load(path, overrides))
    origin = _origin(export, plan, Path(path))
    documents = _workflows(plan, origin, export, Path(path), gitignore=gitignore)
    *services, workflow = documents
    notes = (gpus.note(plan), queues.note(plan.queue))
    for warning in (limits.check_manifest(workflow), *notes):
        if warning and on_warning:
            on_warning(warning)
    documents = [*services, _of_kind(workflow, plan, origin, export)]
    return Exported(tuple(documents), tuple(needs.describe(documents)))


def _origin(export: Export, plan: "ExperimentSet", path: Path) -> "Origin":
    from riseml.client import install_files
    from riseml.plan import Origin

    url, _, revision = (export.git or "").partition("#")
    build = None if export.standalone else install_files.build_of(plan, path)
    return Origin(
        user=export.user,
        number=export.number,
        git_url=url or None,
        revision=revision,
        build=build,
        takes_arguments=export.template,
    )


def _workflows(
    plan: "ExperimentSet",
    origin: "Origin",
    export: Export,
    path: Path,
    *,
    gitignore: bool,
) -> list[dict[str, Any]]:
    from riseml import compiler
    from riseml.compiler import standalone
    from riseml.plan import Target
    from riseml.project.embedded import embedded

    keeping = _keeping(export)
    if not export.standalone:
        workflow = compiler.compile_workflow(plan, origin, Target())
        return [workflow]
    archive = ""
    if not origin.git_url:
        folder = path.absolute().parent
        archive = embedded(folder, gitignore=gitignore, copies=len(plan.jobs))
    options = standalone.Standalone(keeping, archive)
    prepared = standalone.prepared(plan, keeping)
    workflow = compiler.compile_workflow(prepared, origin, Target())
    is_wide = plan.is_gang or plan.concurrency > 1
    return standalone.documents(workflow, options, plan.install, is_wide=is_wide)


def _of_kind(
    workflow: dict[str, Any], plan: "ExperimentSet", origin: "Origin", export: Export
) -> dict[str, Any]:
    """Return a Workflow as the kind of document that is asked for."""
    from riseml.compiler import reusable
    from riseml.compiler.names import Names
    from riseml.plan import Target

    if export.template:
        return reusable.workflow_template(workflow, Names(plan, origin, Target()))
    if export.cron:
        # Argo appends the time to the name of a CronWorkflow.
        numbered = replace(origin, number=_SECONDS_SINCE_1970)
        names = Names(plan, numbered, Target())
        return reusable.cron_workflow(workflow, names, export.cron)
    return workflow


def _check(export: Export) -> None:
    """Raise an error for options that contradict each other."""
    if not (export.template or export.cron):
        return
    from riseml.client import cron_schedule

    if export.template and export.cron:
        raise InvalidInputError(
            "--template and --cron are two kinds of documents",
            "Write one of them; a CronWorkflow contains all that it needs.",
        )
    if export.cron and not cron_schedule.is_valid(export.cron):
        raise InvalidInputError(
            f"'{export.cron}' is not a schedule",
            "Write minute, hour, day of month, month and day of week: --cron '0 3 * * *',"
            " or a word such as @daily.",
        )
    if export.number is not None:
        raise InvalidInputError(
            "--number is for one run, and Argo makes many of this document",
            "Leave it out: RiseML numbers each of them.",
        )
    if export.template and export.keep.startswith("new-claim"):
        raise InvalidInputError(
            "a Workflow that calls a template gets no claim from it",
            "Write --keep claim:NAME or artifacts.",
        )


def _keeping(export: Export) -> "Keeping":
    from riseml.compiler.standalone import KINDS, Keeping

    kind, colon, detail = export.keep.partition(":")
    if kind not in KINDS or bool(colon) > (kind in {"new-claim", "claim"}):
        raise InvalidInputError(
            f"nothing keeps output like this: '{export.keep}'",
            "Write --keep nothing, new-claim, new-claim:50Gi, claim:NAME or artifacts.",
        )
    if kind == "claim" and not detail:
        raise InvalidInputError(
            "--keep claim does not say which claim",
            "Write --keep claim:NAME, or --keep new-claim for one that Argo makes.",
        )
    if kind != "nothing" and not export.standalone:
        raise InvalidInputError(
            "--keep is for standalone documents: others write into the claim riseml-output",
            "Write --standalone as well.",
        )
    return Keeping(kind, detail)
