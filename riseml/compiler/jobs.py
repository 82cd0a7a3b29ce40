"""The template of a job: one container, what it gets mounted, what it is told, and what it hands back."""

from collections.abc import Iterator

from hera.workflows import Container, Env, Parameter, SecretEnv
from hera.workflows.models import ValueFrom, VolumeMount

from riseml import labels
from riseml.compiler import gang, pod, record, retries, text
from riseml.compiler.names import Names
from riseml.errors import InvalidInputError
from riseml.plan import Job, variable_of

RESULT = f"{pod.RISEML}/result"
MISSING = f"{pod.RISEML}/missing"
# Bytes: below the kernel's limit of an argument
_LONGEST = 128_000
RESULT_FILE = f"{pod.OUTPUT}/.riseml/results.jsonl"


def template(job: Job, names: Names) -> Container:
    """Return the template of all jobs of one type."""
    plan, remote = names.plan, names.origin.git_url is not None
    return Container(
        name=job.type,
        inputs=[
            *(
                Parameter(name=each.name)
                for each in (*gang.shared(names), *gang.own(job, 1))
            ),
            *pod.fetched(names, pod.code_folder(names)),
        ],
        labels=_labels(job, names),
        daemon=job.daemon or None,
        affinity=pod.together(names) if names.is_gang else None,
        pod_spec_patch=gang.patch(job, names),
        init_containers=None if remote else [pod.checkout(names)],
        image=names.image,
        command=["sh", "-c"],
        args=pod.arguments(
            [_line(line, names) for line in job.run], job.runner, gang=names.is_gang
        ),
        working_dir=pod.CODE,
        env=_environment(job, names),
        resources=pod.requirements(job.resources, names),
        volume_mounts=_mounts(names),
        outputs=[*_outputs(names)],
        retry_strategy=None if names.is_gang else retries.strategy(plan.retries),
        active_deadline_seconds=plan.timeout,
    )


def _labels(job: Job, names: Names) -> dict[str, str]:
    return {
        labels.EXPERIMENT: text.reference(labels.SUB_PARAMETER),
        labels.TYPE: job.type,
        **(
            {labels.INDEX: text.reference(labels.INDEX_PARAMETER)}
            if job.count > 1
            else {}
        ),
        **({labels.GANG: "true"} if names.meets else {}),
        **({labels.ATTEMPT: names.attempt} if names.retried_whole else {}),
    }


def _outputs(names: Names) -> Iterator[Parameter]:
    yield Parameter(name="result", value_from=ValueFrom(path=RESULT, default=""))
    if names.is_gang:
        yield Parameter(
            name=labels.MISSING, value_from=ValueFrom(path=MISSING, default="")
        )


def _line(line: str, names: Names) -> str:
    if len(line.encode()) > _LONGEST:
        raise InvalidInputError(
            f"a command of {len(line.encode())} bytes is longer than the {_LONGEST} that a process can be given: "
            f"{line[:60]}…",
            "Put it in a script of the project, and run that.",
        )
    return text.bind(line, names.tags)


def _environment(job: Job, names: Names) -> list[Env | SecretEnv]:
    told = {
        **{variable_of(name): tag for name, tag in names.tags.items()},
        **{name: text.bind(value, names.tags) for name, value in job.env.items()},
        **gang.told(job, names),
        "OUTPUT_DIR": pod.OUTPUT,
        "DATA_DIR": pod.DATA,
        "RISEML_DIR": pod.RISEML,
        "RESULT_FILE": RESULT_FILE,
        "RISEML_EXPERIMENT": names.experiment,
        "EXPERIMENT_ID": names.experiment,
        "RISEML_JOB": gang.name(job),
        "RISEML_ATTEMPT": names.attempt,
        "RISEML_CONFIGURATION": record.configuration(names),
    }
    kept = names.target.secret
    return [
        *pod.variables(told),
        *(
            SecretEnv(name=n, secret_name=kept, secret_key=n)
            for n in names.plan.secrets
        ),
    ]


def _mounts(names: Names) -> list[VolumeMount]:
    code = (
        [VolumeMount(name="code", mount_path=pod.CODE)]
        if pod.has_code_volume(names)
        else []
    )
    return [
        *code,
        VolumeMount(name="data", mount_path=pod.DATA, read_only=True),
        VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.output_path),
        VolumeMount(name="riseml", mount_path=pod.RISEML),
        VolumeMount(name="shm", mount_path=pod.SHM),
    ]
