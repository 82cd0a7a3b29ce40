"""Code that Workflows contain, where jobs cannot mount the store."""

import tempfile
from pathlib import Path
from typing import Any

from riseml.compiler.cache import DocumentCache
from riseml.engines import Submission
from riseml.errors import ProjectError
from riseml.plan import ExperimentSet, Origin, Target
from riseml.project import checkout, repository_of
from riseml.project.embedded import embedded

_ADVICE = (
    "Name in .risemlignore what jobs do not need. They cannot mount your store here: this"
    " cluster has no volume that its nodes share."
)


class Compiler:
    """Compiles the plans of a submission; `archive` is its code as text, if documents contain that.

    `documents` are those that the home has.
    """

    def __init__(self, target: Target, archive: str, documents: DocumentCache) -> None:
        self._target, self._archive, self._documents = target, archive, documents

    def compile(self, plan: ExperimentSet, origin: Origin) -> dict[str, Any]:
        """Return the Workflow that runs a plan."""
        if not self._target.saves_artifacts:
            return self._documents.compile(plan, origin, self._target)
        # Few clusters have no volume, and this loads Hera.
        from riseml.compiler import artifact_output  # noqa: PLC0415

        return artifact_output.compile_with_code(
            plan, origin, self._target, self._archive
        )

    def keep(self) -> None:
        """Keep what was compiled for the next run; the run itself needs it no more."""
        self._documents.keep()


def compiler_of(
    submission: Submission, target: Target, home: Path, documents: DocumentCache
) -> Compiler:
    """Return what compiles the plans of a submission.

    Raises:
        ProjectError: the code is too large for a document.
        UnsupportedError: a plan needs an output volume, and the cluster has none.
    """
    if not target.saves_artifacts:
        return Compiler(target, "", documents)
    from riseml.compiler import artifact_output  # noqa: PLC0415

    artifact_output.check(submission.plan)
    project = submission.plan.project
    repository = repository_of(project, home)
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder, "code")
        checkout(repository, submission.revision, code)
        try:
            # The revision has only what belongs to the project.
            copies = len(submission.plan.jobs)
            archive = embedded(code, gitignore=False, copies=copies)
        except ProjectError as error:
            problem = str(error).replace(str(code), project)
            raise ProjectError(problem, _ADVICE) from None
    return Compiler(target, archive, documents)
