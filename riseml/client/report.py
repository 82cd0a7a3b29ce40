"""Method of `riseml.Client` that writes a report: one HTML page about runs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from riseml import corrected_time
from riseml.client import code, config_file, project_folder
from riseml.client.context import ClientContext, run_of
from riseml.client.results import is_larger_better, modes_of
from riseml.dataclass import replace
from riseml.engines import Engine
from riseml.engines.capabilities import HasVolumes
from riseml.errors import InvalidInputError, RiseMLError
from riseml.ids import Id
from riseml.metrics.curves import RESULTS, TIMES, Point, read_curves, thinned
from riseml.metrics.files import File, of_last_attempt
from riseml.project import user_git
from riseml.project.revision_diff import StoredRevision, patch_since
from riseml.report import content, page
from riseml.report.content import Choice, ExperimentCurves
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.select import pick
from riseml.storage.volume import Piece, Volume

# More of a file is not read, and so much is read at once.
_FILE_BYTES = 32 << 20
_BATCH_BYTES = 64 << 20
_PATCH_CHARACTERS = 200_000
# A page draws no more points of a curve.
_CURVE_POINTS = 1000


class _Folder(NamedTuple):
    """An experiment with the files that its curves need.

    `files` are those with metrics of its last attempt, `reported` is its file of results.
    `needed` are these and the indexes of their times, as far as they exist.
    """

    experiment: ExperimentStatus
    files: list[File]
    reported: File
    needed: list[File]


def report(
    context: ClientContext, names: Sequence[str | Id], metric: str | None
) -> str:
    """Return an HTML page about runs; see `Client.report`."""
    runs = [_run(context, name) for name in names or (None,)]
    choice = _choice(runs, metric)
    curves: dict[str, ExperimentCurves] = {}
    for run in runs:
        curves.update(read(context.engine, run))
    differences = {run.id: _difference(context, run) for run in runs}
    now = corrected_time.now()
    return page.render(content.build(runs, curves, choice, now, differences), now)


def read(engine: Engine, run: SetStatus) -> dict[str, ExperimentCurves]:
    """Return the curves of the experiments of a run, by their ids."""
    if not isinstance(engine, HasVolumes):
        return {}
    volume = engine.volume("output")
    root = run.folder
    if volume.resolve(root) is None:
        return {}
    curves: dict[str, ExperimentCurves] = {}
    for batch in _batches(_folders(volume, root, run)):
        for folder, contents in _contents(volume, root, run, batch):
            curves[folder.experiment.id] = _curves(run, folder, contents)
    return curves


def _run(context: ClientContext, name: str | Id | None) -> SetStatus:
    """Return a run, with only one of its experiments if the id says so."""
    subject_id = context.find_id(name)
    run = context.read(run_of(subject_id))
    subject = pick(run, subject_id.experiment)
    if isinstance(subject, ExperimentStatus):
        return replace(run, experiments=(subject,))
    return run


def _difference(context: ClientContext, run: SetStatus) -> str:
    """Return the patch from the user's commit to the code of a run, empty if it is not known.

    The commit is known in the project's folder only.
    """
    file = Path(project_folder.config_file())
    if run.git is None:
        return ""
    with suppress(RiseMLError, OSError):
        if config_file.load(file).project != run.project:
            return ""
        folder = user_git.committed(file.absolute().parent, run.git.commit)
        if folder is not None:
            stored = StoredRevision(code.repository(context, run), run.revision)
            patch = patch_since(folder, stored)
            omitted = len(patch) - _PATCH_CHARACTERS
            rest = f"\n... {omitted} characters more\n" if omitted > 0 else ""
            return patch[:_PATCH_CHARACTERS] + rest
    return ""


def _choice(runs: Sequence[SetStatus], name: str | None) -> Choice:
    """Return the metric that the user names, else the first of riseml.yml that has a mode."""
    modes = modes_of(runs)
    reported = _reported(runs)
    if name is not None and name not in reported:
        advice = f"Results: {', '.join(reported)}." if reported else "There are none."
        raise InvalidInputError(f"no result is called '{name}'", advice)
    metric_name = name or next(iter(modes), None)
    if metric_name is None:
        return Choice()
    largest = is_larger_better(metric_name)
    if metric_name in modes:
        largest = modes[metric_name] == "max"
    return Choice(metric_name, largest, is_certain=True)


def _reported(runs: Sequence[SetStatus]) -> list[str]:
    experiments = chain.from_iterable(run.experiments for run in runs)
    return sorted(set().union(*map(attrgetter("results"), experiments)))


def _folders(volume: Volume, root: str, run: SetStatus) -> Iterator[_Folder]:
    """Yield the files of each experiment that are needed for its curves."""
    listed: dict[str, dict[str, File]] = {}
    for entry in volume.walk(root):
        path = entry.path.removeprefix(f"{root}/")
        sub, _, rest = path.partition("/")
        if not run.is_set:
            sub, rest = "", path
        file = File(rest, entry.size, entry.modified)
        listed.setdefault(sub, {})[rest] = file
    for experiment in run.experiments:
        yield _folder(experiment, listed.get(experiment.folder, {}))


def _folder(experiment: ExperimentStatus, by_path: Mapping[str, File]) -> _Folder:
    _, files = of_last_attempt(by_path.values())
    reported = by_path.get(RESULTS, File(RESULTS, 0, 0.0))
    paths = [RESULTS, *map(attrgetter("path"), files)]
    indexes = [f"{path}{TIMES}" for path in paths]
    existing = filter(by_path.__contains__, (*paths, *indexes))
    return _Folder(experiment, files, reported, [by_path[path] for path in existing])


def _batches(folders: Iterator[_Folder]) -> Iterator[list[_Folder]]:
    """Yield groups of experiments whose files are read with one request."""
    batch: list[_Folder] = []
    size = 0
    for folder in folders:
        batch.append(folder)
        size += sum(map(_length, folder.needed))
        if size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _length(file: File) -> int:
    return min(file.size, _FILE_BYTES)


def _contents(
    volume: Volume, root: str, run: SetStatus, batch: Sequence[_Folder]
) -> Iterator[tuple[_Folder, dict[str, bytes]]]:
    """Yield the content of the needed files of each experiment."""
    pieces = []
    for folder in batch:
        parent = f"{root}/{folder.experiment.sub}" if run.is_set else root
        for file in folder.needed:
            pieces.append(Piece(f"{parent}/{file.path}", 0, _length(file)))
    data = b"".join(volume.read(pieces))
    position = 0
    for folder in batch:
        contents = {}
        for file in folder.needed:
            end = position + _length(file)
            contents[file.path] = data[position:end]
            position = end
        yield folder, contents


def _curves(
    run: SetStatus, folder: _Folder, contents: Mapping[str, bytes]
) -> dict[str, list[Point]]:
    curves = read_curves(
        run.metrics,
        folder.files,
        lambda path: contents.get(path, b""),
        folder.reported,
    )
    return {name: thinned(points, _CURVE_POINTS) for name, points in curves.items()}
