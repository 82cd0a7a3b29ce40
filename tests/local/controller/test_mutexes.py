from riseml.engines.local.controller.mutexes import Locks


def test_one_holder_at_a_time_and_the_queue_in_order() -> None:
    locks = Locks()
    assert locks.acquire("a", ("x",))
    assert not locks.acquire("b", ("x",))
    assert not locks.acquire("c", ("x",))
    assert list(locks.release("a")) == ["b"]
    assert list(locks.release("b")) == ["c"]
    assert list(locks.release("c")) == []
    assert locks.acquire("d", ("x",))


def test_all_locks_or_none() -> None:
    locks = Locks()
    assert locks.acquire("a", ("x",))
    assert not locks.acquire("b", ("x", "y"))
    assert locks.acquire("c", ("y",))
    assert list(locks.release("a")) == []
    assert list(locks.release("c")) == ["b"]


def test_who_stops_waiting_gets_nothing() -> None:
    locks = Locks()
    locks.acquire("a", ("x",))
    locks.acquire("b", ("x",))
    assert list(locks.release("b")) == []
    assert list(locks.release("a")) == []


def test_a_lock_held_before_a_restart_is_held_again() -> None:
    locks = Locks()
    assert locks.acquire("a", ("x",), held=True)
    assert not locks.acquire("b", ("x",))
