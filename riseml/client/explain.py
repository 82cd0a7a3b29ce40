"""Methods of `riseml.Client` that explain and show a run: why, doctor, tensorboard, output."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from riseml import ids, labels
from riseml.client.context import ClientContext, run_of
from riseml.dataclass import replace
from riseml.engines import (
    Chunk,
    Engine,
    LogQuery,
)
from riseml.engines.capabilities import (
    HasLocalOutput,
    ProvidesEvidence,
    ServesTensorBoard,
)
from riseml.errors import UnsupportedError
from riseml.ids import Id
from riseml.status.select import pick

if TYPE_CHECKING:
    from riseml.client.tensorboard import TensorBoard
    from riseml.diagnosis import Cause
    from riseml.doctor import Finding

# Reading a log may take a second on a cluster, and a few failed jobs usually fail alike.
_MAX_LOGS = 5
# Launchers add their own tracebacks behind that of a program.
_LAST_LINES = 100
# The line that names the current step of a build may be far above.
_BUILD_LINES = 1000


def why(context: ClientContext, id: str | Id | None) -> "list[Cause]":
    """Explain the state of a run, experiment or job; see `Client.why`."""
    from riseml.client import surroundings
    from riseml.diagnosis import Evidence, explain, guilty, running_builds

    subject = context.find_id(id)
    if isinstance(context.engine, ProvidesEvidence):
        evidence = context.engine.evidence(subject)
    else:
        run = context.read(subject)
        evidence = Evidence(run, pick(run, subject))
    # The log of a failed job usually ends with the error message of its program.
    jobs = guilty(evidence.subject)[:_MAX_LOGS]
    jobs += [build.id for build in running_builds(evidence.run)]
    logs = {job: last_lines(context.engine, job) for job in jobs}
    evidence = replace(evidence, logs=logs)
    return explain(replace(evidence, surroundings=surroundings.look(context, evidence)))


def doctor(context: ClientContext) -> "Iterator[Finding]":
    """Check the machine or the cluster; see `Client.doctor`."""
    from riseml import doctor
    from riseml.doctor import machine
    from riseml.engines.open import describe, engine_checks

    settings = context.settings
    checks = machine.general(settings, describe(settings))
    return doctor.run([*checks, *engine_checks(settings)])


def tensorboard(
    context: ClientContext,
    id: str | Id | None,
    port: int,
    on_note: Callable[[str], None] | None,
) -> "TensorBoard":
    """Return the TensorBoard of a run once it answers; see `Client.tensorboard`."""
    from riseml.client import hparams_columns, tensorboard, tensorboard_program

    on_note = on_note or _ignore
    engine = context.engine
    subject = context.find_id(id)
    # An experiment or job that does not exist is an error, even if its run exists.
    pick(context.read(subject), subject)
    run = run_of(subject)
    log_of = partial(last_lines, engine, f"{run}.tensorboard")

    def is_missing() -> bool:
        return tensorboard_program.is_missing(log_of())

    if isinstance(engine, tensorboard.HasRemoteOutput):
        return tensorboard.open_remote(engine, subject, port, on_note, is_missing)
    folder = _local_output(engine, subject)
    hparams_columns.explain(folder, str(run), on_note)
    # A run's own TensorBoard shows the events of jobs while they are running.
    find_url = partial(tensorboard_url, engine, subject)
    own = tensorboard.of_run(find_url, str(run), on_note, is_missing)
    if own is not None:
        return own
    environment = None
    if isinstance(engine, tensorboard.HasEnvironments):
        environment = engine.environment(run)
    return tensorboard.serve(folder, port, on_note, environment=environment)


def output(context: ClientContext, id: str | Id | None) -> Path:
    """Return the output folder of a run or experiment; see `Client.output`."""
    subject = context.find_id(id)
    pick(context.read(subject), subject)
    return _local_output(context.engine, subject)


def last_lines(engine: Engine, job: str) -> list[str]:
    """Return the last lines that a job wrote; more of a build, whose steps write many."""
    parsed = ids.parse(job)
    count = _BUILD_LINES if parsed.type in labels.BUILD_TYPES else _LAST_LINES
    query = LogQuery(id=parsed, follow=False, tail=count)
    chunks = [event for event in engine.logs(query) if isinstance(event, Chunk)]
    text = b"".join(chunk.data for chunk in chunks).decode(errors="replace")
    # Engines may return a few lines more than the query asks for.
    return text.splitlines()[-count:]


def tensorboard_url(engine: Engine, run: Id) -> str | None:
    """Return the address of a run's TensorBoard, None where none is running."""
    if not isinstance(engine, ServesTensorBoard):
        return None
    return engine.tensorboard_url(run)


def _ignore(_note: str) -> None:
    """Drop a note."""


def _local_output(engine: Engine, id: Id) -> Path:
    if not isinstance(engine, HasLocalOutput):
        raise UnsupportedError(
            f"the outputs of the engine {engine.name} are not on this machine"
        )
    return engine.folder(id)
