"""Graph of a run."""

from riseml.engines.local.interpreter.node import fnv1a
from tests.unit.simulator import (
    by_name,
    simulate,
)
from tests.unit.workflows import dag, job, task, workflow

S = "Succeeded"


def test_two_names_with_the_same_hash_are_two_nodes() -> None:
    names = ("t5648", "t964556")
    assert fnv1a(f"w.{names[0]}") == fnv1a(f"w.{names[1]}")
    done = simulate(workflow(dag("main", *(task(name) for name in names)), job()))
    assert [by_name(done, name)["phase"] for name in names] == [S, S]
    assert len(done["status"]["nodes"]) == 3
