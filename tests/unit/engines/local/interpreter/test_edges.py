"""Edges between nodes."""

from tests.unit.simulator import (
    by_name,
    simulate,
)
from tests.unit.workflows import dag, job, task, workflow


def test_a_task_is_a_child_of_the_last_nodes_of_its_needs() -> None:
    inner = dag("inner", task("x"), task("y", depends="x"))
    main = dag(
        "main",
        task("a", "inner"),
        task("g", withItems=["p", "q"], depends="a"),
        task("z", depends="g"),
    )
    done = simulate(workflow(main, inner, job()))

    def below(name: str) -> list[str]:
        nodes = done["status"]["nodes"]
        return [
            nodes[key]["name"].removeprefix("w.")
            for key in by_name(done, name).get("children", ())
        ]

    assert below("") == ["a"]
    assert below("a") == ["a.x"]
    assert below("a.y") == ["g"]
    assert below("g") == ["g(0:p)", "g(1:q)"]
    assert below("g(0:p)") == below("g(1:q)") == ["z"]
