from riseml.engines.local.controller.mutexes import Mutexes


def test_one_holder_at_a_time_and_the_queue_in_order() -> None:
    mutexes = Mutexes()
    assert mutexes.acquire("a", ("x",))
    assert not mutexes.acquire("b", ("x",))
    assert not mutexes.acquire("c", ("x",))
    assert list(mutexes.release("a")) == ["b"]
    assert list(mutexes.release("b")) == ["c"]
    assert list(mutexes.release("c")) == []
    assert mutexes.acquire("d", ("x",))


def test_all_mutexes_or_none() -> None:
    mutexes = Mutexes()
    assert mutexes.acquire("a", ("x",))
    assert not mutexes.acquire("b", ("x", "y"))
    assert mutexes.acquire("c", ("y",))
    assert list(mutexes.release("a")) == []
    assert list(mutexes.release("c")) == ["b"]


def test_who_stops_waiting_gets_nothing() -> None:
    mutexes = Mutexes()
    mutexes.acquire("a", ("x",))
    mutexes.acquire("b", ("x",))
    assert list(mutexes.release("b")) == []
    assert list(mutexes.release("a")) == []


def test_a_lock_held_before_a_restart_is_held_again() -> None:
    mutexes = Mutexes()
    assert mutexes.acquire("a", ("x",), held=True)
    assert not mutexes.acquire("b", ("x",))
