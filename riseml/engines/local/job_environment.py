"""Environment that jobs of this machine get from the user, and how they differ from pods."""

from collections.abc import Mapping
from pathlib import Path

from riseml import job_python
from riseml.engines.local.jobs.build_folders import without_packages
from riseml.job_python import Interpreter
from riseml.plan import ExperimentSet
from riseml.settings import PROCESS

_CONTAINER_DIFFERENCES = (
    "`cpus` is a share of this machine. A job may use more while others are idle.",
    "TensorBoard and the job of a search run as processes in your own environment.",
)


def python(plan: ExperimentSet, environment: Mapping[str, str]) -> Interpreter | None:
    """Return the Python that the commands of a plan would find, None without one."""
    if any("PATH" in job.env for job in plan.jobs):
        # What it stands for is known only when a job starts.
        return None
    found = job_python.with_own_last(environment)
    if plan.isolated:
        found = without_packages(found)
    commands = [line for job in plan.jobs for line in job.run]
    return job_python.find(commands, found)


def python_note(plan: ExperimentSet, environment: Mapping[str, str]) -> str:
    """Return a sentence about the Python of a plan's jobs, empty if they find none."""
    interpreter = python(plan, environment)
    if interpreter is None:
        return ""
    name = f"Python {interpreter.version} ({interpreter.path})"
    if interpreter.is_riseml:
        program = Path(interpreter.path).name
        return (
            f"Jobs use RiseML's own {name}: there is no other {program} on your PATH."
        )
    if plan.install:
        return f"Jobs use {name} and the packages of the install steps."
    return f"Jobs use {name}."


def differences(
    plan: ExperimentSet, environment: Mapping[str, str], runner: str
) -> list[str]:
    """Return what differs from a cluster for the jobs of a plan, in sentences.

    `runner` is what runs them, as in `RunnerChoice`.
    """
    if runner != PROCESS:
        return list(_CONTAINER_DIFFERENCES)
    sentences = ["Jobs get the environment variables of this terminal."]
    note = python_note(plan, environment)
    if note:
        packages = " The packages installed there are used as well."
        sentences.append(note + ("" if plan.isolated else packages))
    sentences.append(f"The image {plan.image} is not used.")
    if not plan.enforces_resources:
        sentences.append(
            "`cpus` and `mem` decide when a job starts. They do not limit what it uses."
        )
    sentences.append("Jobs run as you, and can read and write all of your files.")
    return sentences
