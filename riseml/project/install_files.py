"""Files of the project that an install step needs, as far as reading what it runs can tell.

    pip install -r a.txt     a.txt, what its lines name, and so on
    pip install -e .         all files; the result depends on those about the package only
    pip install ./lib        all files below lib
    bash setup.sh            setup.sh, and what its lines name
    cat a.txt data           a.txt, and all files below data

What only a shell can know (`-r $FILE`) is returned as an open question.
"""

import posixpath
import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import filter as filter_names
from functools import partial
from operator import methodcaller

from riseml.dataclass import dataclass, field
from riseml.project import local_package, pip_arguments, shell_words
from riseml.project.pip_arguments import Kind, Reference
from riseml.project.project_files import TOP, ProjectFiles, relative_to_any

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_SCRIPT = re.compile(r".*\.(?:sh|bash)|(?:.*/)?(?:GNUmakefile|[Mm]akefile)")
_ENVIRONMENT = re.compile(r".*\.ya?ml")


@dataclass
class StepFiles:
    """What a step needs.

    `copied` are files and folders that it may see, and `exact` those of which every file
    counts. `inputs` maps what its result depends on, files and layouts of packages, to a
    digest. `questions` are texts about files that cannot be determined, `missing` are
    paths that the project does not have.
    """

    copied: set[str] = field(default_factory=set)
    exact: set[str] = field(default_factory=set)
    inputs: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def of_step(step: str, project: ProjectFiles) -> StepFiles:
    """Return the files that an install step needs."""
    search = _Search(project)
    search.follow_script(step)
    return search.result


def of_paths(paths: Sequence[str], project: ProjectFiles) -> StepFiles:
    """Return the files that paths of `build_files` stand for."""
    search = _Search(project)
    search.add_named(paths)
    return search.result


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths without those that other paths contain."""
    unique = set(paths)
    return tuple(sorted(unique - below_any(unique, unique)))


def below_any(paths: Collection[str], folders: Collection[str]) -> set[str]:
    """Return the paths that are below one of several folders."""
    starts = tuple(f"{folder}/" for folder in folders)
    below = set(filter(methodcaller("startswith", starts), paths))
    return below | set(paths) - {TOP} if TOP in folders else below


class _Search:
    """Search for the files of one step; it follows each file once."""

    def __init__(self, project: ProjectFiles) -> None:
        self.result = StepFiles()
        self._project = project
        # Where the commands of the step may run, the latest `cd` first.
        self._folders = [TOP]
        self._followed: set[tuple[Kind | None, str]] = set()

    def follow_script(self, text: str) -> None:
        """Add what the lines of a script name."""
        for words in shell_words.commands(text):
            self._add_command(words)

    def add_named(self, words: Iterable[str]) -> None:
        """Add the files and folders that words name."""
        for word in words:
            for path in relative_to_any(word, self._folders):
                self._add_path(path)

    def _add_command(self, words: Sequence[str]) -> None:
        # An argument of `sh -c` is a script.
        for script in filter(re.compile(r"\s").search, words):
            self.follow_script(script)
        if words[0] == "cd":
            self._enter(" ".join(words[1:]))
            return
        if words[0] == "make":
            self.add_named(_MAKEFILES)
        references = pip_arguments.of_command(words)
        if references is None:
            self.add_named(shell_words.names(" ".join(words)))
        else:
            self._add_references(references, self._folders)

    def _enter(self, word: str) -> None:
        if shell_words.is_computed(word):
            self._ask(f"which folder `cd {word}` enters")
        self._folders = [*relative_to_any(word, self._folders), *self._folders]

    def _add_path(self, path: str) -> None:
        if path in self._project.digests:
            self._add_file(path)
            return
        matching = filter_names(self._project.digests, path)
        depth = path.count("/")
        for match in matching:
            if match.count("/") == depth:
                self._add_file(match)
        if self._project.below(path):
            self._add_folder(path)

    def _add_references(
        self, references: Iterable[Reference], folders: Sequence[str]
    ) -> None:
        for reference in references:
            if shell_words.is_computed(reference.path):
                self._ask(f"which file `{reference.path}` is")
            else:
                self._add_reference(reference, folders)

    def _add_reference(self, reference: Reference, folders: Sequence[str]) -> None:
        candidates = relative_to_any(reference.path, folders)
        existing = list(filter(self._project.exists, candidates))
        is_package = partial(local_package.is_package, project=self._project)
        # Of several folders, the one that pip can install is meant.
        packages = list(filter(is_package, existing))
        for path in packages[:1] or existing:
            self._add_for_pip(reference.kind, path)
        if existing:
            return
        if candidates:
            self.result.missing.append(reference.path)
        elif not reference.path.startswith("/"):
            self._ask(f"what {reference.path} has: it is outside of the project")

    def _add_for_pip(self, kind: Kind, path: str) -> None:
        if path not in self._project.digests:
            add = self._add_editable if kind is Kind.EDITABLE else self._add_folder
            add(path)
            return
        self._add_file(path)
        if kind is Kind.REQUIREMENTS:
            self._follow_requirements(path)

    def _add_file(self, path: str) -> None:
        self.result.copied.add(path)
        self.result.exact.add(path)
        self.result.inputs[path] = self._project.digests[path]
        if _SCRIPT.fullmatch(path) and self._is_new(None, path):
            self.follow_script(self._project.read(path))
        if _ENVIRONMENT.fullmatch(path):
            self._follow_requirements(path)

    def _add_folder(self, folder: str) -> None:
        self.result.copied.add(folder)
        self.result.exact.add(folder)
        self._add_inputs(self._project.below(folder))

    def _add_editable(self, folder: str) -> None:
        if not self._is_new(Kind.EDITABLE, folder):
            return
        self.result.copied.add(folder)
        self._add_inputs(local_package.inputs(folder, self._project))
        layout = local_package.layout(folder, self._project)
        self.result.inputs[f"packages of {folder}"] = layout
        for neighbor in local_package.neighbors(folder, self._project):
            self._add_editable(neighbor)

    def _add_inputs(self, paths: Iterable[str]) -> None:
        for path in paths:
            self.result.inputs[path] = self._project.digests[path]

    def _follow_requirements(self, path: str) -> None:
        if not self._is_new(Kind.REQUIREMENTS, path):
            return
        text = self._project.read(path)
        beside = posixpath.dirname(path) or TOP
        for reference in pip_arguments.of_requirements(text):
            # pip looks for packages in the folder where it runs.
            is_beside = reference.kind is Kind.REQUIREMENTS
            folders = [beside] if is_beside else [beside, *self._folders]
            self._add_references([reference], list(dict.fromkeys(folders)))

    def _ask(self, question: str) -> None:
        self.result.questions.append(question)

    def _is_new(self, kind: Kind | None, path: str) -> bool:
        key = (kind, path)
        is_new = key not in self._followed
        self._followed.add(key)
        return is_new
