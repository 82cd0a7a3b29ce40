"""Properties of all Workflows, however their jobs end and whenever the controller stops."""

import zlib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riseml.engines.local.interpreter.events import (
    Annotated,
    DeletePods,
    Event,
    Shutdown,
)
from riseml.engines.local.interpreter.node import COLUMNS, DAG, FINAL, POD, RETRY, Node
from riseml.engines.local.interpreter.progress import DagFrame
from riseml.engines.local.interpreter.validate import check
from tests.unit.simulator import End, Job, Simulator
from tests.unit.workflows import dag, deletion, gang, job, task, workflow

KILL = "'{{workflow.annotations.k}}' !~ '(^|,)({{item}}|[*])='"
RESULTS = (
    "",
    ".Succeeded",
    ".Failed",
    ".Skipped || {0}.Omitted",
    ".Daemoned",
    ".Errored",
)
TEMPLATES = ("job", "retried", "locked", "daemon", "inner", "again")
JOBS = (
    job("job", metadata={"labels": {"x": "{{node.name}}"}}, outputs={"r": "usual"}),
    job(
        "retried",
        retryStrategy={
            "limit": 2,
            "retryPolicy": "Always",
            "backoff": {"duration": "3", "factor": 2},
        },
    ),
    job("locked", synchronization={"mutexes": [{"name": "m"}]}, pendingTimeout="20"),
    job("daemon", daemon=True, pendingTimeout="5"),
    dag(
        "inner",
        task("x"),
        task("d", "daemon"),
        task(
            "y", depends="x || x.Failed", when="{{tasks.x.outputs.parameters.r}} != no"
        ),
    ),
    dag(
        "again",
        task("x"),
        task("y", "inner", depends="x"),
        retryStrategy={"limit": 1, "retryPolicy": "Always"},
    ),
)


@st.composite
def tasks(draw: st.DrawFn) -> list[dict[str, Any]]:
    drawn: list[dict[str, Any]] = []
    for name in "abcdefg"[: draw(st.integers(1, 7))]:
        needs = (
            draw(
                st.lists(
                    st.sampled_from([drawn_task["name"] for drawn_task in drawn]),
                    max_size=2,
                    unique=True,
                )
            )
            if drawn
            else []
        )
        terms = [
            f"({need}{draw(st.sampled_from(RESULTS)).format(need)})" for need in needs
        ]
        body = task(name, draw(st.sampled_from(TEMPLATES)))
        if terms:
            body["depends"] = draw(st.sampled_from([" && ", " || "])).join(terms)
        if body["template"] != "daemon" and draw(st.booleans()):
            body["withItems"] = [
                str(number) for number in range(draw(st.integers(1, 5)))
            ]
            body["when"] = KILL
        elif draw(st.integers(0, 5)) == 0:
            body["when"] = draw(
                st.sampled_from(
                    [
                        "1 == 2",
                        "'{{workflow.annotations.k}}' == ''",
                        "{{workflow.name}} < 1",
                    ]
                )
            )
        drawn.append(body)
    return drawn


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    body = draw(tasks())
    fields: dict[str, Any] = {"fail_fast": draw(st.sampled_from([None, True, False]))}
    if not any(
        drawn_task["template"] == "daemon" for drawn_task in body
    ):  # a daemon would keep its slot
        fields["parallelism"] = draw(st.sampled_from([0, 1, 2, 3]))
    return workflow(dag("main", *body, **fields), *JOBS, annotations={"k": ""})


SECONDS = st.integers(0, 60).map(lambda quarters: quarters / 4)
EVENTS = st.lists(
    st.tuples(
        SECONDS,
        st.sampled_from(
            [
                Annotated("k", "1="),
                Annotated("k", "*="),
                Shutdown("Terminate"),
                DeletePods("x=w.a"),
                Annotated("k", ""),
            ]
        ),
    ),
    max_size=3,
)


def script(seed: int) -> Any:
    """Return ends that depend only on the seed and the pod's name."""

    def end(pod: Job) -> End:
        luck = zlib.crc32(f"{seed} {pod.name}".encode())
        if pod.template.get("daemon") and luck % 4:
            return End(after=None, pending=luck % 7)
        ends = (
            End(0),
            End(0),
            End(1),
            End(143, container="checkout"),
            End(None, message="machine restarted", phase="Error"),
        )
        chosen = ends[luck % 5]
        return End(
            chosen.code, after=luck % 11 / 2 + 0.1, pending=luck % 3 / 4 + 0.1, stopped=luck % 2 * 143,
            container=chosen.container, message=chosen.message, phase=chosen.phase,
        )  # fmt: skip

    return end


def play(
    document: dict[str, Any],
    seed: int,
    at: list[tuple[float, Event]],
    restarts: frozenset[int],
) -> Simulator:
    simulator = Simulator(document, script(seed), at, restarts)
    simulator._act(simulator.run.start(simulator.now))
    observe(simulator)
    while simulator.step():
        observe(simulator)
    return simulator


def observe(simulator: Simulator) -> None:
    """Check what must hold after every event."""
    run = simulator.run
    for node in run.nodes.values():
        limit = run.graph.template_of(node).parallelism if node.type == DAG else None
        children = [
            child
            for child in run.nodes.values()
            if child.boundary == node.id and not child.hooked
        ]
        pods = [
            child
            for child in children
            if child.type in (POD, DAG) and child.phase in ("Pending", "Running")
        ]
        slots = [
            child
            for child in children
            if child.type in (POD, DAG, RETRY)
            and not child.retried
            and child.phase not in FINAL
        ]
        assert limit is None or len(pods) <= limit
        if isinstance(frame := run.graph.frames.get(node.id), DagFrame):
            assert frame.active == len(slots)
    assert set(run.graph.live) == {node.id for node in run.nodes.values() if node.live}
    assert set(run.graph.frames) <= set(run.graph.owners)
    assert not run.dirty


def finished(simulator: Simulator) -> None:
    """Check what must hold at the end."""
    run = simulator.run
    assert run.ended
    assert not run.graph.live
    assert not run.graph.frames
    assert not run.graph.owners
    assert not simulator.holders
    assert {node.phase for node in run.nodes.values()} <= FINAL
    assert all(node.finished_at is not None for node in run.nodes.values())


@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    documents(),
    st.integers(0, 99),
    EVENTS,
    st.frozensets(st.integers(0, 60), max_size=6),
)
def test_any_workflow_ends_and_restarts_change_nothing(
    document: dict[str, Any],
    seed: int,
    at: list[tuple[float, Event]],
    restarts: frozenset[int],
) -> None:
    check(document)
    uninterrupted = play(document, seed, at, frozenset())
    finished(uninterrupted)
    restarted = play(document, seed, at, restarts)
    finished(restarted)
    assert restarted.result()["status"] == uninterrupted.result()["status"]
    assert [launch.name for launch in restarted.launched] == [
        launch.name for launch in uninterrupted.launched
    ]


@settings(max_examples=40)
@given(
    st.integers(1, 5),
    st.integers(0, 99),
    EVENTS,
    st.frozensets(st.integers(0, 20), max_size=4),
)
def test_any_gang_ends_together(
    size: int, seed: int, at: list[tuple[float, Event]], restarts: frozenset[int]
) -> None:
    ps = job("ps", daemon=True, metadata={"labels": {"gang": "1"}})
    document = gang("ps", *(f"worker-{number}" for number in range(1, size + 1)), ps=ps)
    document["metadata"]["annotations"]["k"] = ""
    simulator = play(document, seed, at, restarts)
    finished(simulator)
    workers = [
        node
        for node in simulator.run.nodes.values()
        if node.template.startswith("worker") and not node.hooked
    ]
    assert len(workers) == size
    failed = [node for node in workers if node.phase != "Succeeded"]
    assert (
        not failed
        or simulator.run.root is None
        or simulator.run.root.phase != "Succeeded"
    )
    assert (
        simulator.result()["status"]
        == play(document, seed, at, frozenset()).result()["status"]
    )


def test_a_row_contains_every_field() -> None:
    simulator = play(
        workflow(
            dag("main", task("a", "retried"), task("b", "locked")), *JOBS, deletion()
        ),
        3,
        [],
        frozenset(),
    )
    for node in simulator.run.nodes.values():
        row = node.to_row()
        assert len(row) == len(COLUMNS)
        copy = Node.from_row(row)
        assert all(getattr(copy, name) == getattr(node, name) for name in COLUMNS)
