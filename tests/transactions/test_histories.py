"""The checker of histories finds each anomaly, and none where transactions ran one after the other."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Final

import pytest

from tests.transactions.histories import Append, Outcome, Read, Transaction, anomalies

WORKERS: Final = count(100)  # others than those that tests name


def made(text: str, outcome: Outcome = "committed", worker: int | None = None) -> Transaction:
    """Return a transaction of a worker of its own: ``x+1 x=12`` appends 1 to x and reads 1 and 2 in it."""
    operations = [Append(word[0], word[2]) if word[1] == "+" else Read(word[0], [*word[2:]]) for word in text.split()]
    return Transaction(operations, outcome, next(WORKERS) if worker is None else worker)


def kinds(*texts: str | Transaction) -> set[str]:
    transactions = [made(each) if isinstance(each, str) else each for each in texts]
    return {found.kind for found in anomalies(transactions)}


def test_what_ran_one_after_the_other_passes() -> None:
    random = Random(1)
    lists: dict[str, list[str]] = {"x": [], "y": [], "z": []}
    history = []
    for number in range(2000):
        operations: list[Append | Read] = []
        outcome = random.choices(["committed", "failed", "unknown"], [8, 1, 1])[0]
        is_done = outcome == "committed" or (outcome == "unknown" and random.random() < 0.5)
        inside = {key: values[:] for key, values in lists.items()}
        for part in range(random.randint(1, 4)):
            key = random.choice([*inside])
            if random.random() < 0.5:
                inside[key].append(f"{number}.{part}")
                operations.append(Append(key, f"{number}.{part}"))
            else:
                operations.append(Read(key, inside[key][:]))
        lists = inside if is_done else lists
        history.append(Transaction(operations, outcome, number % 6))  # type: ignore[arg-type]
    history.append(Transaction([Read(key, values) for key, values in lists.items()], worker=9))
    assert anomalies(history) == []


def test_a_read_of_what_failed_is_found() -> None:
    assert kinds(made("x+1", "failed"), "x=1") == {"G1a"}


def test_a_read_in_the_midst_of_a_transaction_is_found() -> None:
    assert kinds("x+1 x+2", "x=1", "x=12") == {"G1b", "G-single"}


def test_a_lost_append_is_found() -> None:
    assert kinds("x+1", "x+2", "x=2") == {"lost"}


def test_half_of_a_transaction_of_unknown_outcome_is_found() -> None:
    assert kinds(made("x+1 y+2", "unknown"), "x=1 y=") == {"lost"}


@pytest.mark.parametrize("final", ["x= y=", "x=1 y=2"])
def test_a_transaction_of_unknown_outcome_may_be_done_or_not(final: str) -> None:
    assert kinds(made("x+1 y+2", "unknown"), final) == set()


def test_what_a_transaction_of_unknown_outcome_read_counts_if_it_is_done() -> None:
    assert kinds("y+2", made("y= x+1", "unknown"), "x=1 y=", "y=2 x=1") == set()
    assert kinds("y+2", "y=2 x=", made("y= x+1", "unknown"), "y=2 x=1") == {"G2"}


def test_a_duplicate_append_is_found() -> None:
    assert kinds("x+1", "x=11") == {"duplicate"}


def test_orders_that_contradict_each_other_are_found() -> None:
    assert "incompatible order" in kinds("x+1", "x+2", "x=21", "x=12")


def test_what_nobody_appended_is_found() -> None:
    assert kinds("x=1") == {"nowhere"}


@pytest.mark.parametrize("text", ["x+1 x=", "x+1 x=12", "x= x=2"])
def test_a_transaction_that_does_not_see_its_own_state_is_found(text: str) -> None:
    assert "internal" in kinds("x+2", text, "x=21" if "1" in text else "x=2")


def test_a_cycle_of_writes_is_found() -> None:
    assert kinds("x+1 y+1", "x+2 y+2", "x=12 y=21") == {"G0"}


def test_a_cycle_of_writes_and_reads_is_found() -> None:
    assert kinds("x+1 y=2", "x=1 y+2", "x=1 y=2") == {"G1c"}


def test_a_lost_update_is_found() -> None:
    assert kinds("x= x+1", "x= x+2", "x=12") == {"G-single"}


def test_a_read_of_two_moments_is_found() -> None:
    assert kinds("x+1 y+2", "x= y=2", "x=1 y=2") == {"G-single"}


def test_write_skew_is_found() -> None:
    assert kinds("x= y+1", "y= x+2", "x=2 y=1") == {"G2"}


def test_two_readers_that_saw_two_writes_in_two_orders_are_found() -> None:
    assert kinds("x+1", "y+2", "x=1 y=", "x= y=2", "x=1 y=2") == {"G2"}


def test_a_worker_that_reads_an_older_state_than_before_is_found() -> None:
    old: list[str | Transaction] = [made("x=1", worker=1), made("x=", worker=1), "x=1"]
    assert kinds("x+1", *old) == {"session"}
    other: list[str | Transaction] = [made("x=1", worker=1), made("x=", worker=2), "x=1"]
    assert kinds("x+1", *other) == set()


def test_values_that_are_not_unique_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        kinds("x+1", "x+1", "x=1")
