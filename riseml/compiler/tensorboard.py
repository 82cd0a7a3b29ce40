"""TensorBoard over an output folder: beside the job of a single experiment, or once for a whole set.

Its script never ends by itself: a sidecar that fails would fail the job, a daemon that ends the run.
"""

from decimal import Decimal

from hera.workflows import Container, Parameter, UserContainer
from hera.workflows.models import ContainerPort, VolumeMount

from riseml import labels, templating
from riseml.compiler import pod
from riseml.compiler.names import Names
from riseml.spec import Resources

PORT = 6006
RESOURCES = Resources(cpus=Decimal("0.2"), mem=256_000_000)
PATIENCE = "10m"  # how long a run waits for a place for its TensorBoard, before it goes on without


def sidecar(names: Names) -> UserContainer:
    """Return the container beside the job of a single experiment; it ends with the job."""
    return UserContainer(
        name="tensorboard",
        image=names.image,
        command=["sh", "-c"],
        args=[templating.read("tensorboard.sh"), "tensorboard"],
        env=pod.variables(_told()),
        ports=[ContainerPort(container_port=PORT)],
        resources=pod.requirements(RESOURCES, names),
        volume_mounts=[VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.output_path)],
    )


def daemon(names: Names) -> Container:
    """Return the template of the one that shows all experiments of a set."""
    return Container(
        name="tensorboard",
        inputs=[Parameter(name=name) for name in names.handed_down],
        labels={labels.TYPE: "tensorboard"},
        daemon=True,
        image=names.image,
        command=["sh", "-c"],
        args=[templating.read("tensorboard.sh"), "tensorboard"],
        env=pod.variables({**_told(), "RISEML_JOB": "tensorboard", "RISEML_ATTEMPT": "0"}),
        ports=[ContainerPort(container_port=PORT)],
        resources=pod.requirements(RESOURCES, names),
        volume_mounts=[VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.run_path)],
    )


def _told() -> dict[str, str]:
    return {"OUTPUT_DIR": pod.OUTPUT, "TENSORBOARD_ADDRESS": f"0.0.0.0:{PORT}"}
