"""Template of a job: one container with its mounts, environment and outputs."""

import json
from collections.abc import Iterator

from hera.workflows.artifact import Artifact
from hera.workflows.container import Container
from hera.workflows.env import Env, SecretEnv
from hera.workflows.models import ValueFrom, VolumeMount
from hera.workflows.parameter import Parameter
from hera.workflows.retry_strategy import RetryStrategy

from riseml import labels, queues
from riseml.compiler import egress, gang, pod, record, retries, text
from riseml.compiler.names import Names
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt
from riseml.plan import Job, exported

RESULT = f"{pod.RISEML}/result"
MISSING = f"{pod.RISEML}/missing"
WORKDIR = f"{pod.RISEML}/workdir"
EARLY = f"{pod.RISEML}/early"
# For the image, the code, and the end of a pod
_PREPARATION_SECONDS = 3600
# The kernel accepts no argument of 128 KiB.
_MAX_LINE_BYTES = 128_000
HELD = f"{pod.RISEML}/held"
IDLE = f"{pod.RISEML}/idle"
TIMEOUT = f"{pod.RISEML}/timeout"
USAGE = f"{pod.RISEML}/usage"
RESULT_FILE = f"{pod.OUTPUT}/.riseml/results.jsonl"


def template(job: Job, names: Names) -> Container:
    """Return the template of all jobs of one type.

    Raises:
        InvalidInputError: a command is longer than any machine can run.
    """
    plan = names.plan
    has_remote = names.origin.git_url is not None
    lines = [_line(line, names) for line in job.run]
    queued = queues.pod(names.target.queue, names.queue_request)
    annotations = pod.annotations(job.resources, names) or {}
    return Container(
        name=job.type,
        inputs=_inputs(job, names),
        labels={**_labels(job, names), **queued.labels},
        annotations={**annotations, **queued.annotations} or None,
        scheduler_name=queued.scheduler or None,
        priority_class_name=queued.priority_class or None,
        daemon=job.daemon or None,
        affinity=pod.affinity(job.resources, names),
        pod_spec_patch=gang.patch(job, names),
        init_containers=None if has_remote else [pod.checkout(names)],
        image=names.image,
        command=["sh", "-c"],
        args=pod.arguments(
            lines,
            job.script,
            gang=names.is_gang,
            masks=bool(plan.secrets),
            stops_early=bool(plan.early_stop),
            has_parameters=plan.is_set and job is plan.jobs[0],
            times_out=_times_out(job, names),
            holds=_holds(job, names),
            has_gpus=_watches_gpus(job),
        ),
        working_dir=pod.CODE,
        env=_environment(job, names),
        resources=pod.binding_requirements(job.resources, names),
        volume_mounts=_mounts(names),
        outputs=[*_outputs(job, names)],
        retry_strategy=_retry_strategy(job, names),
        active_deadline_seconds=_deadline(job, names),
    )


def _retry_strategy(job: Job, names: Names) -> RetryStrategy | None:
    """Return when a job alone starts again."""
    plan = names.plan
    if not names.is_gang:
        return retries.strategy(plan.retries, plan.idle_timeout)
    # Argo takes a daemon that has run once for done, even if it is to be retried.
    if job.daemon or not names.may_release:
        return None
    # A gang is retried as an experiment, because a single job would wait in vain.
    return retries.after_release()


def _inputs(job: Job, names: Names) -> list[Parameter | Artifact]:
    parameters = [*gang.shared(names), *gang.indices(job, 1)]
    return [
        *(Parameter(name=parameter.name) for parameter in parameters),
        *pod.fetched(names, pod.code_folder(names)),
    ]


def _labels(job: Job, names: Names) -> dict[str, str]:
    values = {
        labels.EXPERIMENT: text.reference(labels.SUB_PARAMETER),
        labels.TYPE: job.type,
    }
    if job.count > 1:
        values[labels.INDEX] = text.reference(labels.INDEX_PARAMETER)
    if names.needs_host_names:
        values[labels.GANG] = "true"
    if names.retries_gang:
        values[labels.ATTEMPT] = names.attempt
    return values


def _outputs(job: Job, names: Names) -> Iterator[Parameter]:
    yield Parameter(name="result", value_from=ValueFrom(path=RESULT, default=""))
    yield Parameter(name=labels.WORKDIR, value_from=ValueFrom(path=WORKDIR, default=""))
    yield Parameter(name=labels.USAGE, value_from=ValueFrom(path=USAGE, default=""))
    if names.is_gang:
        yield Parameter(
            name=labels.MISSING, value_from=ValueFrom(path=MISSING, default="")
        )
    if names.plan.early_stop:
        yield Parameter(name=labels.EARLY, value_from=ValueFrom(path=EARLY, default=""))
    if _holds(job, names):
        yield Parameter(name=labels.HELD, value_from=ValueFrom(path=HELD, default=""))
    if _times_out(job, names):
        source = ValueFrom(path=TIMEOUT, default="")
        yield Parameter(name=labels.TIMED_OUT, value_from=source)
    if _watches_gpus(job) and names.plan.idle_timeout:
        yield Parameter(name=labels.IDLE, value_from=ValueFrom(path=IDLE, default=""))


def _holds(job: Job, names: Names) -> bool:
    """Return whether a job is kept when it has failed; a daemon ends with the others."""
    return names.plan.hold is not None and not job.daemon


def _line(line: str, names: Names) -> str:
    size = len(line.encode())
    if size > _MAX_LINE_BYTES:
        raise InvalidInputError(
            f"a command has {size} bytes, but a process can be given at most "
            f"{_MAX_LINE_BYTES}: {excerpt(line)}",
            "Put it into a script of the project, and run that.",
        )
    return text.bind(line, names.tags)


def _environment(job: Job, names: Names) -> list[Env | SecretEnv]:
    plan = names.plan
    # Later variables replace earlier ones: a user cannot change RiseML's own.
    parameters = exported(names.tags)
    values = {
        **egress.environment(names.target),
        **{variable: names.tags[name] for variable, name in parameters.items()},
        **{name: text.bind(value, names.tags) for name, value in job.env.items()},
        **gang.environment(job, names),
        "OUTPUT_DIR": pod.OUTPUT,
        "DATA_DIR": pod.DATA,
        "RISEML_DIR": pod.RISEML,
        "RESULT_FILE": RESULT_FILE,
        "RISEML_EXPERIMENT": names.experiment,
        "EXPERIMENT_ID": names.experiment,
        "RISEML_JOB": gang.name(job),
        "RISEML_THREADS": str(max(1, int(job.resources.cpus))),
        **_attempt(names),
        **_early_stop(names),
        **_continued(names),
        **_exit_file(job, names),
        **_timeout(job, names),
        **_hold(job, names),
        **_idle(job, names),
        "RISEML_WORKDIR_LIMIT": str(plan.workdir_limit),
        "RISEML_CONFIGURATION": record.configuration(names),
    }
    if plan.secrets:
        values["RISEML_SECRETS"] = " ".join(plan.secrets)
    secret = names.target.secret
    return [
        *pod.variables(values),
        *(
            SecretEnv(name=name, secret_name=secret, secret_key=name)
            for name in plan.secrets
        ),
    ]


def _attempt(names: Names) -> dict[str, str]:
    """Return what run.sh reads of the attempts of a job."""
    values = {
        "RISEML_ATTEMPT": names.attempt,
        "RISEML_KILLED": text.KILLED,
    }
    retries = names.plan.retries.count
    if not retries:
        return values
    values["RISEML_ATTEMPTS"] = str(retries + 1)
    # Of a gang, Argo knows no exit code: its experiment failed, not one pod.
    if not names.is_gang:
        values["RISEML_LAST_EXIT"] = "{{lastRetry.exitCode}}"
        if "node-lost" in names.plan.retries.on:
            values["RISEML_RETRIES_NODE_LOST"] = "1"
    return values


def _exit_file(job: Job, names: Names) -> dict[str, str]:
    """Return where the run script writes the exit status of each attempt, for the search."""
    if not names.plan.search.batch:
        return {}
    return {"RISEML_EXIT_FILE": f"{pod.OUTPUT}/.riseml/exit.{gang.name(job)}"}


def _times_out(job: Job, names: Names) -> bool:
    """Return whether the lines of a job are stopped after some time; a daemon ends with the others."""
    return names.plan.timeout is not None and not job.daemon


def _timeout(job: Job, names: Names) -> dict[str, str]:
    """Return what timeout.sh reads: how many seconds the lines of a job may run."""
    if not _times_out(job, names):
        return {}
    return {labels.TIMEOUT_VARIABLE: str(names.plan.timeout)}


def _hold(job: Job, names: Names) -> dict[str, str]:
    """Return what hold.sh reads: how long a failed job is kept."""
    if not _holds(job, names):
        return {}
    return {"RISEML_HOLD": str(names.plan.hold)}


def _watches_gpus(job: Job) -> bool:
    """Return whether it is watched how much a job uses its GPUs; a daemon waits for others."""
    return bool(job.resources.gpus) and not job.daemon


def _idle(job: Job, names: Names) -> dict[str, str]:
    """Return what idle.sh reads: after how many seconds an idle job is stopped, and whether others use its card."""
    if not _watches_gpus(job):
        return {}
    kind = "shared" if job.resources.gpus % 1 else "whole"
    return {"RISEML_GPU_IDLE": f"{names.plan.idle_timeout or 0} {kind}"}


def _deadline(job: Job, names: Names) -> int | None:
    """Return after how many seconds the engine ends a pod, None for never.

    The run script itself ends the lines. This ends a pod in which it cannot. A daemon may
    wait for the others of its gang for any time.
    """
    plan = names.plan
    if plan.timeout is None or job.daemon:
        return None
    # A job of a gang waits somewhat longer before it gives its resources back.
    wait = 2 * plan.gang_timeout if names.is_gang else 0
    return plan.timeout + (plan.hold or 0) + wait + _PREPARATION_SECONDS


def _early_stop(names: Names) -> dict[str, str]:
    """Return what rungs.py reads, nothing for a search that stops no experiment."""
    early_stop = names.plan.early_stop
    if early_stop is None:
        return {}
    metric = early_stop.metric
    settings = {
        "metric": metric.name,
        "mode": metric.mode,
        "pattern": metric.pattern,
        "rungs": early_stop.rungs,
        "reduction": early_stop.reduction,
        "max_resource": early_stop.max_resource,
    }
    # A pattern may contain what Argo takes for a tag.
    written = text.literal(json.dumps(settings).replace("{{", "{\\u007b"))
    values = {"RISEML_RUNGS": pod.RUNGS, "RISEML_EARLY_STOP": written}
    if names.has_brackets:
        values["RISEML_BRACKET"] = text.reference(labels.BRACKET_PARAMETER)
    return values


def _continued(names: Names) -> dict[str, str]:
    """Return the variables of experiments that continue others, or run again."""
    values = {}
    if labels.EARLIER_PARAMETER in names.continued:
        earlier = text.reference(labels.EARLIER_PARAMETER)
        values["RISEML_EARLIER_ATTEMPTS"] = earlier
    if names.resumes:
        values["RESUME_DIR"] = pod.RESUME
    return values


def _mounts(names: Names) -> list[VolumeMount]:
    mounts = [
        VolumeMount(name="data", mount_path=pod.DATA, read_only=True),
        VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.output_path),
        VolumeMount(name="riseml", mount_path=pod.RISEML),
        VolumeMount(name="shm", mount_path=pod.SHM),
    ]
    for volume in names.target.volumes:
        mount = VolumeMount(
            name=volume.id, mount_path=volume.path, read_only=volume.read_only
        )
        mounts.append(mount)
    mounts += egress.mounts(names.target)
    if names.plan.early_stop:
        mounts.append(
            VolumeMount(name="output", mount_path=pod.RUNGS, sub_path=names.rungs_path)
        )
    if names.resumes:
        folder = text.reference(labels.RESUME_PARAMETER)
        mounts.append(
            VolumeMount(
                name="output", mount_path=pod.RESUME, sub_path=folder, read_only=True
            )
        )
    if pod.has_code_volume(names):
        mounts.insert(0, VolumeMount(name="code", mount_path=pod.CODE))
    return mounts
