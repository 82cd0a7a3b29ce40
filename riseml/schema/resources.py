"""How much: cores, memory, GPUs, durations and numbers of jobs, as riseml.yml says them."""

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from yaml.nodes import Node, ScalarNode

from riseml.plan import Resources
from riseml.quantities import bytes_of, cores_of
from riseml.schema.fields import (
    LARGEST,
    Integer,
    Nullable,
    Record,
    Schema,
    Shorthand,
    Value,
)
from riseml.schema.yaml_document import FLOAT, INT, STR, Document, decimal_of

# Of cores and megabytes, as in 2018
LEAST = Decimal("0.01")
MEGABYTE = 10**6
_MOST_BYTES = 2**63 - 1
_DOUBTFUL_MEGABYTES = 64
_CORES = "[0-9]{2,12}m|[0-9]{1,9}(?:[.][0-9]{1,9})?"
_MEMORY = "(?:[0-9]{1,12}(?:[.][0-9]{0,9})?|[.][0-9]{1,9})(?:k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)"
_MISSPELT = r"([0-9]*[.]?[0-9]+)\s*([kmgtp])i?b?(?:ytes?)?"
_DURATION = "(?=[0-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?"
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class Cores(Value[Decimal]):
    """Cores: a number, or thousandths such as `500m`."""

    expected = "a number of cores of at least 0.01"
    kinds = (INT, FLOAT)

    def read(self, node: Node, name: str, doc: Document) -> Decimal | None:
        """Return the number of cores."""
        cores = _number(node)
        if (
            isinstance(node, ScalarNode)
            and node.tag == STR
            and re.fullmatch(_CORES, node.value)
        ):
            cores = cores_of(node.value)
        if cores is None or not LEAST <= cores <= LARGEST:
            self.refuse(node, name, doc, "Write for example 2, 0.5 or 500m.")
            return None
        return cores

    def schema(self) -> Schema:
        """A number, or text."""
        number = {"type": "number", "minimum": float(LEAST), "maximum": LARGEST}
        return {"anyOf": [number, {"type": "string", "pattern": f"^(?:{_CORES})$"}]}


class Memory(Value[int]):
    """Memory: a number of megabytes (10^6 bytes), or an amount with a unit of Kubernetes such as `4Gi`."""

    expected = "a number of megabytes of at least 0.01, or an amount such as 4Gi"
    kinds = (INT, FLOAT)

    def read(self, node: Node, name: str, doc: Document) -> int | None:
        """Return bytes, rounded up."""
        number = _number(node)
        if number is not None:
            amount = int((number * MEGABYTE).to_integral_value(ROUND_CEILING))
        elif (
            isinstance(node, ScalarNode)
            and node.tag == STR
            and re.fullmatch(_MEMORY, node.value)
        ):
            amount = bytes_of(node.value)
        else:
            amount = 0
        if not LEAST * MEGABYTE <= amount <= _MOST_BYTES:
            self.refuse(node, name, doc, _memory_advice(node))
            return None
        if number is not None and number < _DOUBTFUL_MEGABYTES:
            doc.warn(
                node,
                f"{name} is only {node.value} megabytes",
                f"For gigabytes write {number}G or {number}Gi.",
            )
        return amount

    def schema(self) -> Schema:
        """A number, or text."""
        number = {
            "type": "number",
            "minimum": float(LEAST),
            "maximum": _MOST_BYTES // MEGABYTE,
        }
        return {"anyOf": [number, {"type": "string", "pattern": f"^(?:{_MEMORY})$"}]}


def _memory_advice(node: Node) -> str:
    text = node.value if isinstance(node, ScalarNode) else ""
    if node.tag == STR and (
        match := re.fullmatch(_MISSPELT, text.strip(), re.IGNORECASE)
    ):
        number, unit = match[1], match[2].upper().replace("K", "k")
        return f"Write {number}{unit} (powers of 1000) or {number}{unit.upper()}i (of 1024)."
    return "Write for example 512 (megabytes), 2G or 4Gi."


def _number(node: Node) -> Decimal | None:
    return (
        decimal_of(node.value)
        if isinstance(node, ScalarNode) and node.tag in (INT, FLOAT)
        else None
    )


class Duration(Value[int]):
    """A time: whole seconds, or text such as `90s`, `10m`, `1h30m`, `2d`."""

    expected = "a duration of at least 1s"
    kinds = (INT,)

    def read(self, node: Node, name: str, doc: Document) -> int | None:
        """Return seconds."""
        text = node.value if isinstance(node, ScalarNode) else ""
        number = decimal_of(text) if node.tag == INT else None
        seconds = int(number) if number is not None else 0
        if node.tag == STR and (match := re.fullmatch(_DURATION, text)):
            seconds = sum(
                int(part[:-1]) * _SECONDS[part[-1]] for part in match.groups() if part
            )
        if not 1 <= seconds <= LARGEST:
            self.refuse(node, name, doc, "Write for example 90s, 10m, 1h30m or 2d.")
            return None
        return seconds

    def schema(self) -> Schema:
        """Seconds, or text."""
        text = {"type": "string", "pattern": f"^(?:{_DURATION})$"}
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": LARGEST}, text]}


RESOURCES = Record(
    Resources,
    {
        "cpus": Cores().says("Cores that each job is guaranteed; 1 by default."),
        "mem": Memory().says(
            "Memory that each job is guaranteed: megabytes, or with a unit (4Gi); 512 by default."
        ),
        "gpus": Integer(0).says("Whole GPUs of each job; 0 by default."),
    },
    hints={
        key: f"It is called '{name}' here."
        for name, keys in {
            "cpus": ("cpu", "cores"),
            "mem": ("memory", "ram"),
            "gpus": ("gpu",),
        }.items()
        for key in keys
    },
)


@dataclass(frozen=True)
class Workers:
    """Like workers: how many, and how many processes each of them starts; None means one per GPU, or one."""

    count: int
    processes: int | None = None

    def processes_with(self, resources: Resources) -> int:
        """Return the processes of each worker that has these resources: as asked for, else one per GPU, else one."""
        return self.processes or max(1, resources.gpus)


WORKERS = Shorthand(
    Integer(1),
    Workers,
    Record(
        Workers,
        {
            "count": Integer(1).says("How many workers, each on one node."),
            "processes": Nullable(Integer(1)).says(
                "Processes of each worker; one per GPU by default."
            ),
        },
        required={"count": "Write for example count: 2."},
    ),
)
