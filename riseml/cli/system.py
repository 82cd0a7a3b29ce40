"""Install RiseML on a cluster, and inspect or test it.

For administrators, with the rights of a kubeconfig; `test` starts experiments as yourself.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from riseml import settings
from riseml.cli import options, output, table, terminal, text
from riseml.errors import InvalidInputError, TimedOutError

if TYPE_CHECKING:
    from riseml.cluster.api import Api
    from riseml.cluster.installation import Step
    from riseml.cluster.overview import Node
    from riseml.cluster.values import Values

Kubeconfig = Annotated[
    str | None,
    typer.Option("--kubeconfig", metavar="FILE", help="Instead of KUBECONFIG."),
]
Context = Annotated[
    str | None,
    typer.Option("--context", help="The kubeconfig's, if not its current one."),
]
ValuesFile = Annotated[
    str | None,
    typer.Option("-f", "--values", metavar="FILE", help="As argo/values.yml shows."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing.")]
Form = Annotated[
    Literal["text", "yaml", "json"],
    typer.Option("-o", "--output", metavar="FORMAT", help="Of --dry-run."),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait", metavar="TIME", help="For what was installed to serve; 0: not at all."
    ),
]

_SIGNS = {"created": "+", "changed": "~", "removed": "-", "unchanged": " "}
_GIB = 1 << 30
_PAUSE = 1.0


def install(
    values: ValuesFile = None,
    yes: options.Yes = False,
    dry_run: DryRun = False,
    form: Form = "text",
    wait: Wait = "3m",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Install what all users share: rights, BuildKit and its certificates, a registry.

    It shows what it would do first. Without a file the values that the cluster keeps hold on,
    the usual ones at first. A second time changes nothing.

    Examples:
      riseml system install -f values.yml
      riseml system install -f values.yml --dry-run -o yaml > riseml.yaml
    """
    api = _connect(kubeconfig, context)
    _install(api, _values(api, values), yes=yes, dry_run=dry_run, form=form, wait=wait)


def upgrade(
    values: ValuesFile = None,
    yes: options.Yes = False,
    dry_run: DryRun = False,
    form: Form = "text",
    wait: Wait = "3m",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Bring an installation to this version, with the values that the cluster keeps.

    Users' namespaces are brought up to date by `riseml user update`.
    """
    from riseml.cluster import SYSTEM
    from riseml.cluster.api import path

    api = _connect(kubeconfig, context)
    if api.find(path("namespaces", None, SYSTEM)) is None:
        raise InvalidInputError(
            "RiseML is not installed on this cluster",
            "Install it with `riseml system install`.",
        )
    _install(api, _values(api, values), yes=yes, dry_run=dry_run, form=form, wait=wait)


def uninstall(
    yes: options.Yes = False,
    users: Annotated[
        bool, typer.Option("--users", help="Remove all users' namespaces, too.")
    ] = False,
    dry_run: DryRun = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Remove what `install` has made; users stay with all that is theirs, unless told otherwise."""
    from riseml.cluster import installation

    api = _connect(kubeconfig, context)
    bodies = installation.removable(api, users=users)
    if not bodies:
        output.note("Nothing of RiseML is on this cluster.")
        return
    for body in bodies:
        output.say(f"- {body['kind']} {body['metadata']['name']}")
    stay = [] if users else installation.user_namespaces(api)
    if stay:
        output.note(f"These stay, and the policy over their pods: {', '.join(stay)}.")
    output.note(
        "Volumes with the reclaim policy Retain stay, and what Argo's ConfigMap says."
    )
    if dry_run or not _agreed("Remove this with all that is in it?", yes=yes):
        return
    installation.remove(api, bodies)
    output.note("Removed; namespaces take some seconds to go.")


def info(
    long: Annotated[
        bool,
        typer.Option(
            "-l", "--long", help="Nodes with the versions on them, nothing else."
        ),
    ] = False,
    gpus: Annotated[
        bool, typer.Option("-g", "--gpus", help="The GPUs of the nodes, nothing else.")
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show what the cluster consists of: versions, nodes, GPUs.

    What GPUs are is known where NVIDIA's GPU feature discovery labels the nodes.
    """
    import riseml
    from riseml.cluster import overview
    from riseml.cluster.values import read_values

    api = _connect(kubeconfig, context)
    found = overview.nodes(api, read_values(api)["gpuResource"])
    if gpus and not long:
        _table(
            ["NODE", "DRIVER", "NAME", "ID", "MEM"],
            [row for node in found for row in _gpu_rows(node)],
        )
        return
    if not long:
        told = overview.versions(api)
        output.say(
            f"RiseML version: {riseml.__version__}\nCluster: {api.connection.server} ({told.cluster})"
        )
        output.say(
            f"Kubernetes version: {told.kubernetes or '-'} (built {told.built or '-'})"
        )
        output.say(f"Argo version: {told.argo or '-'}\n")
    more = ["NVIDIA DRIVER", "KUBELET VERSION", "RUNTIME VERSION"] if long else []
    rows = [
        _amounts(node) + [node.driver or "-", node.kubelet, node.runtime][: len(more)]
        for node in found
    ]
    total = [
        "Total",
        f"{sum(node.cpus for node in found):g}",
        _gib(sum(node.mem for node in found)),
        str(sum(node.gpus for node in found)),
        _gib(sum(node.gpu_mem for node in found)),
    ]
    _table(
        ["NODE", "CPU", "MEM", "GPU", "GPU MEM", *more],
        [*rows, total + [""] * len(more)],
        total=True,
    )


def smoke_test(
    nodename: Annotated[
        str | None, typer.Option("--nodename", metavar="HOST", help="Run there only.")
    ] = None,
    num_jobs: Annotated[
        int, typer.Option("--num-jobs", min=1, help="How many experiments.")
    ] = 1,
    num_cpus: Annotated[
        int, typer.Option("--num-cpus", min=1, help="Cores that each keeps busy.")
    ] = 1,
    request_cpus: Annotated[
        str, typer.Option("--request-cpus", help="Cores that each asks for.")
    ] = "0.1",
    request_mem: Annotated[
        int, typer.Option("--request-mem", min=4, help="Megabytes that each asks for.")
    ] = 128,
    mem: Annotated[
        int, typer.Option("--mem", min=1, help="Megabytes that each fills.")
    ] = 1024,
    force_build_steps: Annotated[
        bool, typer.Option("--force-build-steps", help="Build an image, uncached.")
    ] = False,
    image: Annotated[
        str, typer.Option("--image", help="With python3 in it.")
    ] = "python:3.12-slim",
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="How often, 20 seconds each.")
    ] = 15,
) -> None:
    """Start experiments that put load on the cluster, as yourself; it does not wait for them.

    Examples:
      riseml system test --num-jobs 8 --num-cpus 2
      riseml system test --force-build-steps
    """
    import tempfile
    import uuid
    from decimal import Decimal, InvalidOperation
    from pathlib import Path

    from riseml import manifest, templating
    from riseml.client.client import Client

    try:
        cpus = float(Decimal(request_cpus))
    except InvalidOperation:
        raise InvalidInputError(f"'{request_cpus}' is no number of cores") from None
    job: dict[str, Any] = {
        "image": image,
        "resources": {"cpus": cpus, "mem": request_mem},
        "env": {
            "ROUNDS": str(rounds),
            "SECONDS": "20",
            "CPUS": str(num_cpus),
            "MEM": str(mem),
        },
        "run": "python3 smoke_test.py",
    }
    if num_jobs > 1:
        job |= {
            "parameters": {"job": list(range(1, num_jobs + 1))},
            "concurrency": num_jobs,
        }
        job["run"] += " # {{job}}"
    if force_build_steps:
        job["install"] = f"echo {uuid.uuid4()} > /smoke-test"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "smoke_test.py").write_text(templating.read("smoke_test.py"), "utf-8")
        (folder / "riseml.yml").write_text(
            manifest.to_yaml({"project": "smoke-test", "train": job}), "utf-8"
        )
        run = Client().train(folder / "riseml.yml", node=nodename or "")
    load = f"{text.plural(num_cpus, 'core')}, {mem} MB, {text.plural(rounds, 'round')} of 20 s"
    output.note(
        f"{text.plural(num_jobs, 'experiment')}, {load}, {image}"
        + (f", on {nodename}" if nodename else "")
    )
    output.say(run.id)
    output.note(f"Follow it with `riseml logs {run.id}`.")


def _install(
    api: "Api", values: "Values", *, yes: bool, dry_run: bool, form: str, wait: str
) -> None:
    from datetime import UTC, datetime

    from riseml.cluster import installation

    if form != "text" and not dry_run:
        raise InvalidInputError(f"-o {form} is for --dry-run", "Give both, or neither.")
    limit = options.parse_duration(wait).total_seconds()
    if dry_run and form != "text":
        objects = installation.objects(values)
        if form == "json":
            output.data({"apiVersion": "v1", "kind": "List", "items": objects}, form)
            return
        from riseml import manifest

        output.write("---\n".join(map(manifest.to_yaml, objects)))
        return
    now = datetime.now(UTC)
    steps = installation.plan(api, values, now)
    for step in steps:
        output.say(_told(step))
    count = sum(step.outcome != "unchanged" for step in steps)
    output.note(f"{count} of {len(steps)} objects on {api.connection.server} change.")
    if dry_run or (count and not _agreed("Do this?", yes=yes)):
        return
    installation.apply(api, values, steps, now)
    if limit:
        _wait(api, limit)
    output.note("RiseML is installed. Make users with `riseml user create`.")


def _told(step: "Step") -> str:
    fields = (
        f" ({', '.join(step.fields[:5])}{', …' if len(step.fields) > 5 else ''})"  # noqa: PLR2004
        if step.fields
        else ""
    )
    return f"{_SIGNS[step.outcome]} {step.name} {step.outcome}{fields}"


def _wait(api: "Api", limit: float) -> None:
    import time

    from riseml.cluster import installation

    end = time.monotonic() + limit
    while waiting := installation.not_ready(api):
        if time.monotonic() > end:
            names = ", ".join(waiting)
            advice = f"`kubectl -n riseml describe deployment {waiting[0]}` says why; the rest is installed."
            raise TimedOutError(f"not ready after {limit:g} s: {names}", advice)
        time.sleep(_PAUSE)


def _values(api: "Api", file: str | None) -> "Values":
    from riseml.cluster.values import load, read_values

    return load(file) if file else read_values(api)


def _connect(kubeconfig: str | None, context: str | None) -> "Api":
    from riseml.cluster import administration
    from riseml.cluster.api import Api
    from riseml.cluster.connection import from_kubeconfig

    if context is not None:
        return Api(from_kubeconfig(kubeconfig, context))
    return administration.connect(settings.load().file, kubeconfig)


def _agreed(question: str, *, yes: bool) -> bool:
    if yes:
        return True
    if not output.can_ask():
        raise InvalidInputError(
            "this changes the cluster, and nobody is there to agree", "Say -y to go on."
        )
    if output.ask(question):
        return True
    output.note("Nothing was changed.")
    return False


def _amounts(node: "Node") -> list[str]:
    return [
        node.name,
        f"{node.cpus:g}",
        _gib(node.mem),
        str(node.gpus),
        _gib(node.gpu_mem),
    ]


def _gpu_rows(node: "Node") -> list[list[str]]:
    each = _gib(node.gpu_mem // node.gpus) if node.gpus else ""
    first = [node.name, node.driver or "-"]
    return [
        [*(first if number == 0 else ["", ""]), node.gpu_name or "-", str(number), each]
        for number in range(node.gpus)
    ]


def _gib(amount: int) -> str:
    return f"{amount / _GIB:.1f}"


def _table(titles: list[str], rows: list[list[str]], *, total: bool = False) -> None:
    columns = [
        table.Column(title, right=title in {"CPU", "MEM", "GPU", "GPU MEM"})
        for title in titles
    ]
    shown = replace(terminal.stdout(), width=None)
    lines = table.render(columns, rows, shown)
    if total:
        lines.insert(len(lines) - 1, "-" * max(map(len, lines)))
    output.lines(lines)


COMMANDS = {
    "install": install,
    "uninstall": uninstall,
    "upgrade": upgrade,
    "info": info,
    "test": smoke_test,
}
