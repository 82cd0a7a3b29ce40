"""Documents that were compiled before, with gaps for what differs between runs.

    plan, origin, target, code  ──▶ entry of the home: the document of run MARK with code MARK
    number, revision            ──▶ fill the gaps ──▶ the document of a run

Compiling is pure, so a document follows from the plan, the origin, the target and the code
that compiles. All of these are the inputs of an entry. Two values of the origin differ between
runs of an unchanged project, and are gaps: the number of the run and the revision of the code.
An entry is kept only if it gives the document that was compiled for a real run.
"""

import json
import os
import sys
from typing import Any

from riseml import code_stamp, manifest
from riseml.cache_folder import CacheFolder
from riseml.compiler import compile_workflow
from riseml.dataclass import replace
from riseml.plan import ExperimentSet, Origin, Target

# Compiling a larger set takes long in any case, and its inputs take long to compare.
_MAX_EXPERIMENTS = 100
_REVISION_LENGTH = 40
_LARGEST_NUMBER = 999_999_999


class DocumentCache:
    """Compiles Workflows, or takes them from a home."""

    def __init__(self, home: str | os.PathLike[str]) -> None:
        self._folder = CacheFolder(home, "documents")
        # A program may have changed the configuration of the Hera that it has imported.
        self._code = None if _is_hera_loaded() else code_stamp.current()
        self._missed: list[tuple[str, ExperimentSet, Origin, Target, str]] = []

    def compile(
        self, plan: ExperimentSet, origin: Origin, target: Target
    ) -> dict[str, Any]:
        """Return the Workflow of a plan, as `compile_workflow` does."""
        if not self._suits(plan, origin):
            return compile_workflow(plan, origin, target)
        inputs = self._inputs(plan, origin, target)
        text = self._folder.read(inputs)
        if text is not None:
            return _filled(text, origin)
        document = compile_workflow(plan, origin, target)
        # Callers change what they get.
        self._missed = [(inputs, plan, origin, target, json.dumps(document))]
        return document

    def keep(self) -> None:
        """Keep the document that was compiled last, if it was not known.

        This compiles it once more, so it is called when nobody waits for the run any more.
        """
        for inputs, plan, origin, target, document in self._missed:
            number, revision = _mark(inputs, _quotes(origin.revision))
            marked = replace(origin, number=int(number), revision=revision)
            text = json.dumps(compile_workflow(plan, marked, target))
            text = json.dumps([number, revision]) + text
            is_same = json.dumps(_filled(text, origin)) == document
            # Code that was replaced meanwhile may have compiled it.
            if is_same and code_stamp.current() == self._code:
                self._folder.write(inputs, text)
        self._missed = []

    def _suits(self, plan: ExperimentSet, origin: Origin) -> bool:
        return (
            self._code is not None
            and origin.number is not None
            and len(origin.revision) == _REVISION_LENGTH
            and len(plan.experiments) <= _MAX_EXPERIMENTS
            # A controller may be older than its code.
            and code_stamp.current() == self._code
        )

    def _inputs(self, plan: ExperimentSet, origin: Origin, target: Target) -> str:
        # Names are shortened by as many characters as the number has.
        digits = len(str(origin.number))
        constant = replace(origin, number=None, revision="")
        quotes = _quotes(origin.revision)
        # All of these are dataclasses, whose texts have all fields.
        return "\n".join(
            [self._code or "", repr((digits, quotes, plan, constant, target))]
        )


def _is_hera_loaded() -> bool:
    return "hera" in sys.modules


def _mark(inputs: str, quotes: str) -> tuple[str, str]:
    """Return a number and a revision that occur nowhere else in a document."""
    while True:
        number = str(int.from_bytes(os.urandom(8)) % _LARGEST_NUMBER + 1)
        revision = os.urandom(_REVISION_LENGTH // 2).hex()
        is_long = len(number) == len(str(_LARGEST_NUMBER))
        if is_long and number not in inputs and _quotes(revision) == quotes:
            return number, revision


def _quotes(revision: str) -> str:
    """Return what YAML writes around a revision, which may look like a number."""
    return manifest.scalar(revision).replace(revision, "")


def _filled(text: str, origin: Origin) -> dict[str, Any]:
    """Return a document that was kept, with the number and the revision of a run."""
    (number, revision), end = json.JSONDecoder().raw_decode(text)
    filled = text[end:].replace(number, str(origin.number))
    document: dict[str, Any] = json.loads(filled.replace(revision, origin.revision))
    return document
