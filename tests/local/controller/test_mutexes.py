"""Mutexes over all runs of a home."""

from riseml.engines.local.controller.mutexes import Mutexes


def test_a_mutex_has_one_holder_and_an_ordered_queue() -> None:
    mutexes = Mutexes()
    assert mutexes.acquire("a", ("x",))
    assert not mutexes.acquire("b", ("x",))
    assert not mutexes.acquire("c", ("x",))
    assert list(mutexes.release("a")) == ["b"]
    assert list(mutexes.release("b")) == ["c"]
    assert list(mutexes.release("c")) == []
    assert mutexes.acquire("d", ("x",))


def test_a_pod_gets_all_of_its_mutexes_or_none() -> None:
    mutexes = Mutexes()
    assert mutexes.acquire("a", ("x",))
    assert not mutexes.acquire("b", ("x", "y"))
    assert mutexes.acquire("c", ("y",))
    assert list(mutexes.release("a")) == []
    assert list(mutexes.release("c")) == ["b"]


def test_a_pod_that_stops_waiting_gets_no_mutex() -> None:
    mutexes = Mutexes()
    mutexes.acquire("a", ("x",))
    mutexes.acquire("b", ("x",))
    assert list(mutexes.release("b")) == []
    assert list(mutexes.release("a")) == []


def test_a_mutex_held_before_a_restart_stays_held() -> None:
    mutexes = Mutexes()
    assert mutexes.acquire("a", ("x",), held=True)
    assert not mutexes.acquire("b", ("x",))
