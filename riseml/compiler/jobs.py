"""The template of a job: one container, what it gets mounted, what it is told, and what it hands back."""

from collections.abc import Mapping

from hera.workflows import (
    Container,
    EmptyDirVolume,
    Env,
    ExistingVolume,
    Parameter,
    SecretEnv,
    UserContainer,
)
from hera.workflows.models import (
    ResourceRequirements,
    ValueFrom,
    VolumeMount,
)

from riseml import labels, templating
from riseml.compiler import record, retries, text
from riseml.compiler.names import Names
from riseml.spec import Job, Resources

CODE, DATA, OUTPUT, RISEML, STORE, SHM = "/code", "/data", "/output", "/riseml", "/store", "/dev/shm"  # noqa: S108
BESIDE = f"{RISEML}/code"  # where the code waits when the image has a /code of its own, made by install steps
RESULT = f"{RISEML}/result"
RESULT_FILE = f"{OUTPUT}/.riseml/results.jsonl"
_LIBRARY = """
mkdir -p "$RISEML_DIR/lib"
printf %s "$1" > "$RISEML_DIR/lib/riseml.py"
"""


def volumes(names: Names) -> list[ExistingVolume | EmptyDirVolume]:
    """Return the volumes that jobs share: three claims, and folders that live as long as a pod."""
    target = names.target
    return [
        ExistingVolume(name="data", claim_name=target.data_claim),
        ExistingVolume(name="output", claim_name=target.output_claim),
        ExistingVolume(name="store", claim_name=target.store_claim),
        EmptyDirVolume(name="code"),
        EmptyDirVolume(name="riseml"),
        EmptyDirVolume(name="shm", medium="Memory"),
    ]


def job_template(job: Job, names: Names) -> Container:
    """Return the template of all jobs of one type."""
    plan = names.plan
    return Container(
        name=job.type,
        inputs=[Parameter(name=name) for name in names.inputs],
        labels={labels.EXPERIMENT: text.reference(labels.SUB_PARAMETER), labels.TYPE: job.type},
        init_containers=[checkout(names)],
        image=names.image,
        command=["sh", "-c"],
        args=[templating.read("run.sh"), "riseml", *(text.bind(line, names.parameters) for line in job.run)],
        working_dir=CODE,
        env=_environment(job, names),
        resources=requirements(job.resources, names),
        volume_mounts=_mounts(names),
        outputs=[Parameter(name="result", value_from=ValueFrom(path=RESULT, default=""))],
        retry_strategy=retries.strategy(plan.retries),
        active_deadline_seconds=plan.timeout,
    )


def checkout(names: Names) -> UserContainer:
    """Return the init container that brings the code, and the library that jobs import."""
    code = BESIDE if names.plan.install else CODE
    script = templating.read("checkout.sh") + _LIBRARY
    mounts = [
        VolumeMount(name="store", mount_path=STORE, read_only=True),
        VolumeMount(name="riseml", mount_path=RISEML),
    ]
    return UserContainer(
        name="checkout",
        image=names.target.git_image,
        command=["sh", "-c"],
        args=[script, "checkout", templating.read("riseml.py")],
        env=_variables(
            {
                "REPOSITORY": f"{STORE}/repos/{names.plan.project}.git",
                "REVISION": names.origin.revision,
                "CODE_DIR": code,
                "RISEML_DIR": RISEML,
            }
        ),
        volume_mounts=mounts if names.plan.install else [*mounts, VolumeMount(name="code", mount_path=CODE)],
    )


def requirements(resources: Resources, names: Names) -> ResourceRequirements:
    """Return what Kubernetes is asked for: guaranteed shares, and no limits but for GPUs, which have no other form."""
    limits = {names.target.gpu_resource: str(resources.gpus)} if resources.gpus else None
    return ResourceRequirements.model_validate(
        {"requests": {"cpu": text.cores(resources.cpus), "memory": text.memory(resources.mem)}, "limits": limits}
    )


def _environment(job: Job, names: Names) -> list[Env | SecretEnv]:
    told = {
        **{variable(name): text.reference(name) for name in names.parameters},
        **{name: text.bind(value, names.parameters) for name, value in job.env.items()},
        "OUTPUT_DIR": OUTPUT,
        "DATA_DIR": DATA,
        "RISEML_DIR": RISEML,
        "RESULT_FILE": RESULT_FILE,
        "PYTHONPATH": f"{RISEML}/lib",
        "RISEML_EXPERIMENT": names.experiment,
        "EXPERIMENT_ID": names.experiment,
        "RISEML_JOB": job.type,
        "RISEML_ATTEMPT": "{{retries}}" if names.plan.retries.count else "0",
        "RISEML_CONFIGURATION": record.configuration(names),
    }
    secrets = [SecretEnv(name=name, secret_name=names.target.secret, secret_key=name) for name in names.plan.secrets]
    return [*_variables(told), *secrets]


def _variables(values: Mapping[str, str]) -> list[Env]:
    return [Env(name=name, value=value) for name, value in values.items()]


def variable(parameter: str) -> str:
    """Return the environment variable that carries a parameter."""
    return parameter.upper().replace("-", "_").replace(" ", "_")


def _mounts(names: Names) -> list[VolumeMount]:
    code = [] if names.plan.install else [VolumeMount(name="code", mount_path=CODE)]
    return [
        *code,
        VolumeMount(name="data", mount_path=DATA, read_only=True),
        VolumeMount(name="output", mount_path=OUTPUT, sub_path=names.output_path),
        VolumeMount(name="riseml", mount_path=RISEML),
        VolumeMount(name="shm", mount_path=SHM),
    ]
