"""Command `riseml system info`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypedDict

from riseml.cli import formats, options, output, table, terminal
from riseml.cli.cluster_options import Context, Kubeconfig, connect
from riseml.cli.documents import Document
from riseml.cli.parameters import Option
from riseml.dataclass import replace

if TYPE_CHECKING:
    from riseml.cluster.api import Api
    from riseml.cluster.overview import Node

# Kubernetes reports memory in powers of 1024, and so do the vendors of GPUs.
_GIB = 1 << 30
_AMOUNTS = ("CPU", "MEM", "GPU", "GPU MEM")
_NODE_VERSIONS = ("NVIDIA DRIVER", "KUBELET VERSION", "RUNTIME VERSION")


class NodeRecord(TypedDict):
    """A node that runs jobs, with what its jobs can use together."""

    name: str
    cpus: float
    mem: int
    """In bytes."""
    gpus: int
    gpu_name: str
    """Empty if nothing labels the node with it, as with the other texts."""
    gpu_mem: int
    """Memory of all GPUs in bytes; 0 if it is not known."""
    driver: str
    """The version of NVIDIA's driver."""
    kubelet: str
    runtime: str


class ClusterRecord(TypedDict):
    """A cluster: its versions, and its nodes."""

    server: str
    cluster: str
    """The id of the cluster."""
    riseml: str
    """The version of this RiseML."""
    kubernetes: str
    built: str
    """The date of the Kubernetes build."""
    argo: str
    nodes: list[NodeRecord]


DOCUMENTS = {"system-info": Document(ClusterRecord)}


def info(
    long: Annotated[
        bool,
        Option("-l", "--long", help="Only the nodes, with their versions."),
    ] = False,
    gpus: Annotated[
        bool, Option("-g", "--gpus", help="Only the GPUs of the nodes.")
    ] = False,
    output_format: options.OutputFormat = "table",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show the cluster's versions, nodes and GPUs.

    Names, drivers and memory of GPUs are known only if NVIDIA's GPU feature discovery
    labels the nodes.
    """
    from riseml.cluster import overview
    from riseml.cluster.values import read_values

    api = connect(kubeconfig, context)
    nodes = overview.nodes(api, read_values(api)["gpuResource"])
    if not formats.is_for_people(output_format):
        _write_data(api, nodes, output_format)
        return
    if gpus and not long:
        output.lines(_gpu_table(nodes))
        return
    if not long:
        output.lines(_versions(api))
    is_wide = long or output_format == "wide"
    output.lines(_node_table(nodes, long=is_wide))


def _write_data(api: "Api", nodes: "Sequence[Node]", output_format: str) -> None:
    import riseml
    from riseml.cluster import overview

    versions = overview.versions(api)
    record: ClusterRecord = {
        "server": api.connection.server,
        "cluster": versions.cluster,
        "riseml": riseml.__version__,
        "kubernetes": versions.kubernetes,
        "built": versions.built,
        "argo": versions.argo,
        "nodes": list(map(_record, nodes)),
    }
    data = formats.of_records(record["nodes"], NodeRecord, "name")
    formats.write_data(replace(data, records=record), output_format)


def _record(node: "Node") -> NodeRecord:
    return {
        "name": node.name,
        "cpus": float(node.cpus),
        "mem": node.mem,
        "gpus": node.gpus,
        "gpu_name": node.gpu_name,
        "gpu_mem": node.gpu_mem,
        "driver": node.driver,
        "kubelet": node.kubelet,
        "runtime": node.runtime,
    }


def _versions(api: "Api") -> list[str]:
    import riseml
    from riseml.cluster import overview

    versions = overview.versions(api)
    kubernetes = f"{_or_dash(versions.kubernetes)} (built {_or_dash(versions.built)})"
    return [
        f"RiseML version: {riseml.__version__}",
        f"Cluster: {api.connection.server} ({versions.cluster})",
        f"Kubernetes version: {kubernetes}",
        f"Argo version: {_or_dash(versions.argo)}",
        "",
    ]


def _node_table(nodes: "Sequence[Node]", *, long: bool) -> list[str]:
    titles = ["NODE", *_AMOUNTS]
    rows = []
    cpus, mem, gpus, gpu_mem = Decimal(0), 0, 0, 0
    for node in nodes:
        amounts = _amounts(node.cpus, node.mem, node.gpus, node.gpu_mem)
        versions = [_or_dash(node.driver), node.kubelet, node.runtime]
        rows.append([node.name, *amounts, *versions])
        cpus += node.cpus
        mem += node.mem
        gpus += node.gpus
        gpu_mem += node.gpu_mem
    rows.append(["Total", *_amounts(cpus, mem, gpus, gpu_mem), "", "", ""])
    if long:
        titles += _NODE_VERSIONS
    lines = _table(titles, [row[: len(titles)] for row in rows])
    lines.insert(len(lines) - 1, "-" * max(map(len, lines)))
    return lines


def _amounts(cpus: Decimal, mem: int, gpus: int, gpu_mem: int) -> list[str]:
    """Return amounts for the columns; memory is in bytes."""
    return [f"{cpus:g}", _gib(mem), str(gpus), _gib(gpu_mem)]


def _gpu_table(nodes: "Sequence[Node]") -> list[str]:
    rows = []
    for node in nodes:
        memory = _gib(node.gpu_mem // node.gpus) if node.gpus else ""
        # The node is named beside its first GPU only.
        node_cells = [node.name, _or_dash(node.driver)]
        for number in range(node.gpus):
            rows.append([*node_cells, _or_dash(node.gpu_name), str(number), memory])
            node_cells = ["", ""]
    return _table(["NODE", "DRIVER", "NAME", "ID", "MEM"], rows)


def _or_dash(text: str) -> str:
    return text or "-"


def _gib(amount: int) -> str:
    return f"{amount / _GIB:.1f}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    columns = [table.Column(title, right=title in _AMOUNTS) for title in titles]
    # No column can be shortened, so long lines wrap.
    return table.render(columns, rows, replace(terminal.stdout(), width=None))
