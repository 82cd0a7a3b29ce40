"""Files of the output volume that say something about running jobs of a cluster."""

from collections.abc import Mapping, Sequence

from riseml.cluster.store import RunsScripts
from riseml.engines.argo.output_folder import folder
from riseml.errors import RiseMLError
from riseml.status import ExperimentStatus, SetStatus, held, job_files, pod_marks
from riseml.status.values import with_experiments

Texts = Mapping[str, Mapping[str, str]]
"""The text of each file, by the folder of its experiment and by its name."""

# Prints the name and the text of each file below the folder $1 of a run whose name begins
# with one of the other arguments.
_READ = """
cd "/output/$1" 2> /dev/null || exit 0
shift
for prefix; do
  grep -H '' .riseml/"$prefix"* */.riseml/"$prefix"* /dev/null 2> /dev/null || :
done
"""
_RELEASE = """
cd /output && rm -f "$@"
"""


def with_files(
    store: RunsScripts, run: SetStatus, *, reads_pods: bool = False
) -> SetStatus:
    """Return a run with what the files of its jobs say, with `reads_pods` also those of pods."""
    has_started = any(experiment.started for experiment in run.experiments)
    more = [pod_marks.PREFIX] if reads_pods and has_started else []
    try:
        texts = read(store, run, more)
    except RiseMLError:
        # The store may be unavailable; the rest of the status does not need it.
        return run
    if not texts:
        return run
    experiments = []
    for experiment in run.experiments:
        own_texts = texts.get(experiment.folder, {})
        experiments.append(job_files.add_to(experiment, own_texts))
    return with_experiments(run, tuple(experiments))


def read(
    store: RunsScripts, run: SetStatus, more_prefixes: Sequence[str] = ()
) -> Texts:
    """Return the files of a run's jobs; nothing is asked if there can be none.

    Those with `more_prefixes` are read in any case.

    Raises:
        RiseMLError: the store is unavailable.
    """
    texts: dict[str, dict[str, str]] = {}
    prefixes = [*job_files.prefixes(run.experiments), *more_prefixes]
    if not prefixes:
        return texts
    output = store.script(_READ, run.folder, *prefixes).decode(errors="replace")
    for line in output.splitlines():
        path, _, text = line.partition(":")
        own_folder, _, name = path.rpartition(".riseml/")
        texts.setdefault(own_folder.rstrip("/"), {})[name] = f"{text}\n"
    return texts


def release(store: RunsScripts, run: SetStatus, jobs: Sequence[str]) -> None:
    """Release jobs of a run; what is not held is left as it is."""
    files = []
    for experiment in run.experiments:
        files += [
            _hold(run, experiment, job.id) for job in experiment.jobs if job.id in jobs
        ]
    if files:
        store.script(_RELEASE, *files)


def _hold(run: SetStatus, experiment: ExperimentStatus, job: str) -> str:
    name = job.removeprefix(f"{experiment.id}.")
    return f"{folder(run, experiment)}/.riseml/{held.PREFIX}{name}"
