"""Keys of Workflows in a home: the number of their run, or a negative number.

    14              the first Workflow of run 14
    -(14 * 2²⁰ + 2) its second one, which repeats or adds experiments

Rows of the database, folders of processes and keys of pods are named after them. So
homes of older versions need no new schema, and the rows of runs are those above 0.
"""

_MOST_SHARDS = 1 << 20


def key_of(number: int, shard: int) -> int:
    """Return the key of a Workflow of a run; `shard` counts from 1."""
    return number if shard == 1 else -(number * _MOST_SHARDS + shard)


def number_of(key: int) -> int:
    """Return the number of the run that a Workflow belongs to."""
    return key if key > 0 else -key // _MOST_SHARDS


def shard_of(key: int) -> int:
    """Return the index of a Workflow among those of its run, from 1."""
    return 1 if key > 0 else -key % _MOST_SHARDS


def bounds(number: int) -> tuple[int, int]:
    """Return the numbers between which the keys of a run's further Workflows lie."""
    return -(number + 1) * _MOST_SHARDS, -number * _MOST_SHARDS


def describe(key: int) -> str:
    """Return what logs call a Workflow."""
    number, shard = number_of(key), shard_of(key)
    return str(number) if shard == 1 else f"{number} (Workflow {shard})"
