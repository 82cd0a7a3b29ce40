"""Amounts in riseml.yml: cores, memory, GPUs, durations and numbers of workers."""

import re
from decimal import ROUND_CEILING, Decimal

from yaml.nodes import Node

from riseml.dataclass import dataclass
from riseml.plan import Resources
from riseml.quantities import bytes_of, cores_of
from riseml.schema import gpus
from riseml.schema.fields import (
    LARGEST,
    Integer,
    Nullable,
    Record,
    Schema,
    Shorthand,
    Value,
)
from riseml.schema.gpus import Gpus, GpuType
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import FLOAT, INT, STR, decimal_of, is_scalar

# The least number of cores and of megabytes, as in RiseML of 2018.
LEAST = Decimal("0.01")
MEGABYTE = 10**6
_MAX_BYTES = 2**63 - 1
# Python alone needs more; the user probably meant gigabytes.
_SUSPICIOUS_MEGABYTES = 64
_CORES = "[0-9]{2,12}m|[0-9]{1,9}(?:[.][0-9]{1,9})?"
_MEMORY = "(?:[0-9]{1,12}(?:[.][0-9]{0,9})?|[.][0-9]{1,9})(?:k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)"
_MISSPELT_MEMORY = r"([0-9]*[.]?[0-9]+)\s*([kmgtp])i?b?(?:ytes?)?"
_DURATION = "(?=[0-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?"
_UNIT_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class Cores(Value[Decimal]):
    """Cores: a number, or thousandths such as `500m`."""

    expected = "a number of cores of at least 0.01"
    kinds = (INT, FLOAT)

    def read(self, node: Node, name: str, doc: Document) -> Decimal | None:
        """Return the number of cores."""
        cores = _number(node, *self.kinds)
        text = _text(node)
        if re.fullmatch(_CORES, text):
            cores = cores_of(text)
        if cores is None or not LEAST <= cores <= LARGEST:
            self.refuse(node, name, doc, "Write for example 2, 0.5 or 500m.")
            return None
        return cores

    def schema(self) -> Schema:
        """Return a number or a string."""
        number = {"type": "number", "minimum": float(LEAST), "maximum": LARGEST}
        return {"anyOf": [number, {"type": "string", "pattern": f"^(?:{_CORES})$"}]}


class Memory(Value[int]):
    """Memory: a number of megabytes (10^6 bytes), or an amount with a unit of Kubernetes such as `4Gi`."""

    expected = "a number of megabytes of at least 0.01, or an amount such as 4Gi"
    kinds = (INT, FLOAT)

    def read(self, node: Node, name: str, doc: Document) -> int | None:
        """Return bytes, rounded up."""
        number = _number(node, *self.kinds)
        text = _text(node)
        amount = 0
        if number is not None:
            amount = int((number * MEGABYTE).to_integral_value(ROUND_CEILING))
        elif re.fullmatch(_MEMORY, text):
            amount = bytes_of(text)
        if not LEAST * MEGABYTE <= amount <= _MAX_BYTES:
            self.refuse(node, name, doc, _memory_advice(text))
            return None
        if number is not None and number < _SUSPICIOUS_MEGABYTES:
            doc.warn(
                node,
                f"{name} is only {node.value} megabytes",
                f"For gigabytes write {number}G or {number}Gi.",
            )
        return amount

    def schema(self) -> Schema:
        """Return a number or a string."""
        number = {
            "type": "number",
            "minimum": float(LEAST),
            "maximum": _MAX_BYTES // MEGABYTE,
        }
        return {"anyOf": [number, {"type": "string", "pattern": f"^(?:{_MEMORY})$"}]}


def _memory_advice(text: str) -> str:
    match = re.fullmatch(_MISSPELT_MEMORY, text.strip(), re.IGNORECASE)
    if not match:
        return "Write for example 512 (megabytes), 2G or 4Gi."
    number = match[1]
    # Kubernetes writes kilo in lower case only.
    unit = match[2].upper().replace("K", "k")
    return (
        f"Write {number}{unit} (powers of 1000) or {number}{unit.upper()}i (of 1024)."
    )


def _number(node: Node, *kinds: str) -> Decimal | None:
    """Return the value of a number of these kinds, None for everything else."""
    return decimal_of(node.value) if is_scalar(node, *kinds) else None


def _text(node: Node) -> str:
    """Return the text of a string, and "" for everything else."""
    return node.value if is_scalar(node, STR) else ""


class Duration(Value[int]):
    """A time: whole seconds, or text such as `90s`, `10m`, `1h30m`, `2d`."""

    expected = "a duration of at least 1s"
    kinds = (INT,)

    def read(self, node: Node, name: str, doc: Document) -> int | None:
        """Return seconds."""
        seconds = int(_number(node, *self.kinds) or 0)
        match = re.fullmatch(_DURATION, _text(node))
        if match:
            for amount in filter(None, match.groups()):
                seconds += int(amount[:-1]) * _UNIT_SECONDS[amount[-1]]
        if not 1 <= seconds <= LARGEST:
            self.refuse(node, name, doc, "Write for example 90s, 10m, 1h30m or 2d.")
            return None
        return seconds

    def schema(self) -> Schema:
        """Return an integer or a string."""
        text = {"type": "string", "pattern": f"^(?:{_DURATION})$"}
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": LARGEST}, text]}


# The names of other tools.
_RESOURCE_HINTS = {
    "cpu": "It is called 'cpus' here.",
    "cores": "It is called 'cpus' here.",
    "memory": "It is called 'mem' here.",
    "ram": "It is called 'mem' here.",
    "gpu": "It is called 'gpus' here.",
    "gpu_memory": "It is called 'gpu_mem' here.",
}
RESOURCES = Record(
    Resources,
    {
        "cpus": Cores().says(
            "Cores that each job is guaranteed; thousandths have the unit m (500m).",
            default=1,
            example=4,
            local="a job may use more, unless the setting `resources.enforce` is true",
            cluster="a job may use idle cores as well",
        ),
        "mem": Memory().says(
            "Memory that each job is guaranteed: megabytes, or with a unit (4Gi).",
            default=512,
            example="4Gi",
            local="a job may use more, unless the setting `resources.enforce` is true",
            cluster="a job that uses more fails with the reason OOM",
        ),
        "gpus": Gpus().says(
            "GPUs of each job, or the part of one that it shares with others (0.25).",
            default=0,
            example=2,
            cluster="parts of a GPU need `gpu.fractions` in the administrator's values",
        ),
        "gpu_mem": Memory().says(
            "Memory that each GPU has at least, or that a part of one needs:"
            " megabytes, or with a unit (24G).",
            otherwise="any GPU is suitable",
            example="24G",
        ),
        "gpu_type": GpuType().says(
            "Type of the GPUs: words of the card's name, in upper or lower case.",
            otherwise="any type is suitable",
            example="a100",
        ),
    },
    hints=_RESOURCE_HINTS,
    check=gpus.check,
)
"""The mapping `resources`."""


@dataclass(frozen=True)
class Workers:
    """Equal workers: how many, and how many processes each starts; None means one per GPU, at least one."""

    count: int
    processes: int | None = None

    def job_type(self, single_type: str) -> str:
        """Return the type of their jobs; a single worker has the type of a job without a framework."""
        return "worker" if self.count > 1 else single_type

    def processes_with(self, resources: Resources) -> int:
        """Return the number of processes of each worker that has these resources."""
        return self.processes or max(1, resources.whole_gpus)


WORKERS = Shorthand(
    Integer(1),
    Workers,
    Record(
        Workers,
        {
            "count": Integer(1).says(
                "Number of workers; each is a job.",
                example=2,
                local="all of them run on this machine",
                cluster="each is a pod, on any node with room for it",
            ),
            "processes": Nullable(Integer(1)).says(
                "Number of processes of each worker.",
                otherwise="there is one for each GPU, at least one",
                example=2,
            ),
        },
        required={"count": "Write for example count: 2."},
    ),
)
"""The key `workers` of a framework: a number, or a mapping with the number of processes too."""
