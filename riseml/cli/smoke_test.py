"""Command `riseml system test`."""

from typing import Annotated, Any

from riseml import phrases
from riseml.cli import output
from riseml.cli.parameters import Option
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt

NodeName = Annotated[
    str | None,
    Option("--nodename", metavar="HOST", help="Run on this node only."),
]
NumJobs = Annotated[
    int,
    Option("--num-jobs", metavar="N", min=1, help="Number of experiments."),
]
NumCpus = Annotated[
    int,
    Option("--num-cpus", metavar="N", min=1, help="Cores that each experiment uses."),
]
RequestCpus = Annotated[
    str,
    Option(
        "--request-cpus",
        metavar="NUMBER",
        help="Cores that each experiment requests.",
    ),
]
RequestMem = Annotated[
    int | None,
    Option(
        "--request-mem",
        metavar="N",
        min=4,
        help="Megabytes that each experiment requests. Default: 128 more than it uses.",
    ),
]
Mem = Annotated[
    int,
    Option("--mem", metavar="N", min=1, help="Megabytes that each experiment uses."),
]
ForceBuildSteps = Annotated[
    bool,
    Option("--force-build-steps", help="Build an image without the cache."),
]
Image = Annotated[
    str, Option("--image", metavar="IMAGE", help="An image with python3.")
]
Rounds = Annotated[
    int,
    Option("--rounds", metavar="N", min=1, help="Number of rounds of 20 seconds."),
]

_ROUND_SECONDS = 20
# Python and the processes themselves, beside the memory that they fill.
_OWN_MEGABYTES = 128


def smoke_test(
    nodename: NodeName = None,
    num_jobs: NumJobs = 1,
    num_cpus: NumCpus = 1,
    request_cpus: RequestCpus = "0.1",
    request_mem: RequestMem = None,
    mem: Mem = 1024,
    force_build_steps: ForceBuildSteps = False,
    image: Image = "python:3.12-slim",
    rounds: Rounds = 15,
) -> None:
    """Start experiments that put load on the cluster, without waiting for them.

    They run under your own user name.

    Examples:
      riseml system test --num-jobs 8 --num-cpus 2
      riseml system test --force-build-steps
    """
    environment = {
        "ROUNDS": str(rounds),
        "SECONDS": str(_ROUND_SECONDS),
        "CPUS": str(num_cpus),
        "MEM": str(mem),
    }
    train: dict[str, Any] = {
        "image": image,
        "resources": {
            "cpus": _parse_cores(request_cpus),
            "mem": request_mem or mem + _OWN_MEGABYTES,
        },
        "env": environment,
        "run": "python3 smoke_test.py",
    }
    if num_jobs > 1:
        train["parameters"] = {"job": list(range(1, num_jobs + 1))}
        train["concurrency"] = num_jobs
        # A parameter must be used.
        train["run"] += " # {{job}}"
    if force_build_steps:
        train["install"] = _unique_install_step()
    run = _train(train, nodename or "")
    experiments = phrases.plural(num_jobs, "experiment")
    cores, times = phrases.plural(num_cpus, "core"), phrases.plural(rounds, "round")
    load = f"{experiments}, {cores}, {mem} MB, {times} of {_ROUND_SECONDS} s, {image}"
    output.note(f"{load}, on {excerpt(nodename)}" if nodename else load)
    output.say(run)
    output.note(f"Follow it with `riseml logs {run}`.")


def _parse_cores(words: str) -> float:
    from decimal import Decimal, InvalidOperation

    try:
        return float(Decimal(words))
    except InvalidOperation:
        raise InvalidInputError(f"'{words}' is not a number of cores") from None


# The step is unique, so no image of it can be in the cache.
def _unique_install_step() -> str:
    import uuid

    return f"echo {uuid.uuid4()} > /smoke-test"


def _train(train: dict[str, Any], node: str) -> str:
    """Start a run in a temporary project, and return its id."""
    import tempfile
    from pathlib import Path

    from riseml import manifest, templating
    from riseml.client.client import Client

    # `train` takes the code beside the file, which must be nothing but the script.
    config = {"project": "smoke-test", "train": train}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = templating.read("smoke_test.py")
        (folder / "smoke_test.py").write_text(script, "utf-8")
        config_file = folder / "riseml.yml"
        config_file.write_text(manifest.to_yaml(config), "utf-8")
        return Client().train(config_file, node=node).id
