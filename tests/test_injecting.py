"""Injected interrupts arrive where signals do: they lose a lock that Python code takes, and none that C takes."""

from __future__ import annotations

import threading

import pytest

from tests.injecting import ends_in_a_fork, ends_in_a_thread, interrupt, interruptions


def test_a_condition_is_lost_by_an_interrupt_and_a_lock_of_the_interpreter_never() -> None:
    condition, lock = threading.Condition(), threading.RLock()
    lost = []

    def work() -> int:
        return sum(number * number for number in range(3))

    def hold_condition() -> None:
        with condition:
            work()

    def hold_lock() -> None:
        with lock:
            work()

    for moment in interruptions(hold_condition):
        if condition._is_owned():  # type: ignore[attr-defined] # what its own methods ask
            lost.append(moment)
            condition.release()
    assert lost
    assert len(list(interruptions(hold_lock))) > len(lost)
    assert ends_in_a_thread(hold_lock)


def test_each_moment_is_another_one_and_the_call_ends_after_the_last() -> None:
    done: list[int] = []

    def count() -> None:
        for number in "012":
            done.append(int(number))  # noqa: PERF401 - a loop has moments between its steps

    left = []
    for _ in interruptions(count):
        left.append(len(done))
        done.clear()
    assert sorted(set(left)) == [0, 1, 2, 3]
    assert not interrupt(count, 1000)


@pytest.mark.slow
def test_work_that_fails_or_hangs_in_a_fork_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.injecting.PATIENCE_S", 1)
    assert ends_in_a_fork(lambda: None)
    assert not ends_in_a_fork(threading.Event().wait)
    assert not ends_in_a_thread(threading.Event().wait)
