"""Status of searches in rounds: numbers, parameters, and why an experiment has none yet."""

from riseml import status
from riseml.engines.local.interpreter.events import Annotated
from riseml.status import State
from riseml.status.positions import Positions
from tests.unit import plans, recordings
from tests.unit.compiler.test_rounds import suggest
from tests.unit.simulator import BEGINNING, End, Job, Simulator, simulate


def test_experiments_have_the_parameters_of_their_rounds() -> None:
    run = status.read(simulate(plans.compiled(plans.rounds(5, 2)), suggest))
    assert [experiment.sub for experiment in run.experiments] == [1, 2, 3, 4, 5]
    parameters = [dict(experiment.parameters) for experiment in run.experiments]
    assert parameters == [{"lr": f"0.{sub}", "opt": "it's"} for sub in range(1, 6)]
    assert [experiment.state for experiment in run.experiments] == [
        State.FINISHED, State.FAILED, State.FINISHED, State.FINISHED, State.FINISHED,
    ]  # fmt: skip
    assert run.state is State.FAILED
    assert [job.id for job in run.jobs] == [
        "14.build-search", "14.search.1", "14.search.2", "14.search.3",
    ]  # fmt: skip


def test_experiments_of_later_rounds_wait_for_the_search() -> None:
    simulator = Simulator(plans.compiled(plans.rounds(5, 2, concurrency=1)), suggest)
    simulator._act(simulator.run.start(BEGINNING))
    while "set.round-1" not in str(simulator.rows.values()):
        simulator.step()
    run = status.read(simulator.result())
    reasons = [(experiment.state, experiment.reason) for experiment in run.experiments]
    assert reasons[1:] == [
        (State.CREATED, "CONCURRENCY"),
        (State.CREATED, "SEARCH"),
        (State.CREATED, "SEARCH"),
        (State.CREATED, "SEARCH"),
    ]
    assert [job.id for job in run.jobs] == ["14.build-search", "14.search.1"]


def test_a_failed_search_is_guilty_of_what_could_not_start() -> None:
    def second_fails(job: Job) -> End:
        is_second = ".search-2" in job.name
        return End(code=3) if is_second else suggest(job)

    run = status.read(simulate(plans.compiled(plans.rounds(5, 2)), second_fails))
    third = run.experiments[2]
    assert (third.state, third.reason, third.guilty) == (
        State.FAILED, "SEARCH", "14.search.2",
    )  # fmt: skip
    assert third.message.startswith("14.search.2 failed: ")
    assert run.experiments[0].state is State.FINISHED


def test_a_kill_ends_the_search() -> None:
    killed = Annotated("riseml.io/killed", "*=1970-01-12T13:46:42Z")
    document = plans.compiled(plans.rounds(5, 2))
    simulator = Simulator(document, suggest, [(2.6, killed)])
    simulator.finish()
    run = status.read(simulator.result())
    assert [experiment.state for experiment in run.experiments[2:]] == [
        State.KILLED, State.KILLED, State.KILLED,
    ]  # fmt: skip


def test_a_recording_of_argo_has_numbers_parameters_and_results() -> None:
    run = status.read(recordings.document("search-rounds"))
    rows = [
        (experiment.sub, experiment.parameters["name"], experiment.state)
        for experiment in run.experiments
    ]
    finished = State.FINISHED
    assert rows == [
        (1, 'a "b"', finished),
        (2, "plain", State.FAILED),
        (3, "it's", finished),
        (4, "plain", finished),
        (5, "plain", finished),
    ]
    assert all(float(experiment.parameters["x"]) for experiment in run.experiments)
    assert [job.id for job in run.jobs] == [
        "1.build-search", "1.search.1", "1.search.2", "1.search.3",
    ]  # fmt: skip


def test_positions_in_names() -> None:
    rounds = Positions(".set.", batch=3)
    assert rounds.of("w.set.round-2(1:a:.set.round-9(9:,riseml-sub:5).train") == 4
    assert rounds.of("w.set.round-2") is None
    assert rounds.of("w.set.search-2") is None
    assert Positions(".set.experiment(").of("w.set.experiment(7:a:1).train") == 7
