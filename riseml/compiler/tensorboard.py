"""TensorBoard over a run's output folder: a daemon beside the set, one for all its experiments.

It is not a sidecar of a job, even for a single experiment: the end of a sidecar decides
over the job's (an OOM kill of it would fail the experiment), and its requests could keep
the job from finding a node. The script of the daemon never ends by itself.
"""

from decimal import Decimal

from hera.workflows.container import Container
from hera.workflows.models import ContainerPort, VolumeMount
from hera.workflows.parameter import Parameter

from riseml import labels, templating
from riseml.compiler import pod
from riseml.compiler.names import Names
from riseml.plan import Resources

RESOURCES = Resources(cpus=Decimal("0.2"), mem=256_000_000)
# If no node has room for the TensorBoard by then, the run continues without it.
PATIENCE = "10m"


def daemon(names: Names) -> Container:
    """Return the template."""
    environment = {
        "OUTPUT_DIR": pod.OUTPUT,
        "TENSORBOARD_ADDRESS": f"0.0.0.0:{labels.TENSORBOARD_PORT}",
        "RISEML_JOB": "tensorboard",
        "RISEML_ATTEMPT": "0",
    }
    output = VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.run_path)
    return Container(
        name="tensorboard",
        inputs=[Parameter(name=name) for name in names.handed_down],
        labels={labels.TYPE: "tensorboard"},
        daemon=True,
        image=names.image,
        command=["sh", "-c"],
        args=[templating.read("tensorboard.sh"), "tensorboard"],
        env=pod.variables(environment),
        ports=[ContainerPort(container_port=labels.TENSORBOARD_PORT)],
        resources=pod.requirements(RESOURCES, names),
        volume_mounts=[output],
    )
