"""The template of a job: one container, what it gets mounted, what it is told, and what it hands back."""

from hera.workflows import Container, Env, Parameter, SecretEnv
from hera.workflows.models import ValueFrom, VolumeMount

from riseml import labels
from riseml.compiler import pod, record, retries, tensorboard, text
from riseml.compiler.names import Names
from riseml.config.variables import variable_of
from riseml.errors import InvalidInputError
from riseml.spec import Job

RESULT = f"{pod.RISEML}/result"
_LONGEST = 128_000  # bytes: below the kernel's limit of an argument
RESULT_FILE = f"{pod.OUTPUT}/.riseml/results.jsonl"


def template(job: Job, names: Names) -> Container:
    """Return the template of all jobs of one type."""
    plan, remote = names.plan, names.origin.git_url is not None
    board = plan.tensorboard and not plan.is_set
    return Container(
        name=job.type,
        inputs=[
            *(Parameter(name=name) for name in names.inputs),
            *pod.fetched(names, pod.code_folder(names)),
        ],
        labels={labels.EXPERIMENT: text.reference(labels.SUB_PARAMETER), labels.TYPE: job.type},
        init_containers=None if remote else [pod.checkout(names)],
        image=names.image,
        command=["sh", "-c"],
        args=pod.arguments([_line(line, names) for line in job.run]),
        working_dir=pod.CODE,
        env=_environment(job, names),
        resources=pod.requirements(job.resources, names),
        volume_mounts=_mounts(names),
        sidecars=[tensorboard.sidecar(names)] if board else None,
        outputs=[Parameter(name="result", value_from=ValueFrom(path=RESULT, default=""))],
        retry_strategy=retries.strategy(plan.retries),
        active_deadline_seconds=plan.timeout,
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
        "OUTPUT_DIR": pod.OUTPUT,
        "DATA_DIR": pod.DATA,
        "RISEML_DIR": pod.RISEML,
        "RESULT_FILE": RESULT_FILE,
        "RISEML_EXPERIMENT": names.experiment,
        "EXPERIMENT_ID": names.experiment,
        "RISEML_JOB": job.type,
        "RISEML_ATTEMPT": "{{retries}}" if names.plan.retries.count else "0",
        "RISEML_CONFIGURATION": record.configuration(names),
    }
    kept = names.target.secret
    return [*pod.variables(told), *(SecretEnv(name=n, secret_name=kept, secret_key=n) for n in names.plan.secrets)]


def _mounts(names: Names) -> list[VolumeMount]:
    code = [VolumeMount(name="code", mount_path=pod.CODE)] if pod.has_code_volume(names) else []
    return [
        *code,
        VolumeMount(name="data", mount_path=pod.DATA, read_only=True),
        VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.output_path),
        VolumeMount(name="riseml", mount_path=pod.RISEML),
        VolumeMount(name="shm", mount_path=pod.SHM),
    ]
