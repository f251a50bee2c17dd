"""What the workers of the contention tests do; it needs no pytest, so that processes start fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from persistent_collections import Backend, ConflictError, PersistentDict, PersistentList, PersistentSet

ID = "contended"
Mark = tuple[int, int]


def marks(workers: int, times: int) -> list[Mark]:
    """Return what all workers write."""
    return [(worker, number) for worker in range(workers) for number in range(times)]


def the_list(backend: Backend) -> PersistentList[Any]:
    return PersistentList(ID, backend=backend)


def the_dict(backend: Backend) -> PersistentDict[Any, Any]:
    return PersistentDict[Any, Any](ID, backend=backend)


def the_set(backend: Backend) -> PersistentSet[Any]:
    return PersistentSet[Any](ID, backend=backend)


def append(backend: Backend, worker: int, times: int) -> None:
    for number in range(times):
        the_list(backend).append((worker, number))


def extend(backend: Backend, worker: int, times: int) -> None:
    items = the_list(backend)
    for number in range(times):
        items += [(worker, number), (worker, number)]


def insert(backend: Backend, worker: int, times: int) -> None:
    for number in range(times):
        the_list(backend).insert(1, (worker, number))


def put_in_between(backend: Backend, worker: int, times: int) -> None:
    for number in range(times):
        the_list(backend)[1:1] = [(worker, number), (worker, number)]


def pop_last(backend: Backend, _worker: int, times: int) -> list[Any]:
    return [the_list(backend).pop() for _ in range(times)]


def pop_second(backend: Backend, _worker: int, times: int) -> list[Any]:
    return [the_list(backend).pop(1) for _ in range(times)]


def pop_until_empty(backend: Backend, _worker: int, _times: int) -> list[Any]:
    return list(until(IndexError, the_list(backend).lpop))


def delete_second(backend: Backend, _worker: int, times: int) -> None:
    for _ in range(times):
        del the_list(backend)[1]


def cut_two(backend: Backend, _worker: int, times: int) -> None:
    for _ in range(times):
        del the_list(backend)[1:3]


def remove_the_same(backend: Backend, _worker: int, times: int) -> list[Mark]:
    """Remove items that all workers remove, and return those this one did."""
    removed = []
    for mark in marks(1, times):
        with suppress(ValueError):
            the_list(backend).remove(mark)
            removed.append(mark)
    return removed


def append_or_reverse(backend: Backend, worker: int, times: int) -> None:
    for number in range(times):
        the_list(backend).append((worker, number))
        if worker % 2:
            the_list(backend).reverse()


def append_or_sort(backend: Backend, worker: int, times: int) -> None:
    for number in range(times):
        the_list(backend).append((worker, number))
        if worker == 0 and number % 5 == 0:
            with suppress(ConflictError):
                the_list(backend).sort(reverse=True)


def setdefault(backend: Backend, worker: int, times: int) -> list[Any]:
    """Return what each key, the same for all workers, then holds."""
    return [the_dict(backend).setdefault(number, (worker, number)) for number in range(times)]


def update(backend: Backend, worker: int, times: int) -> None:
    for number in range(times):
        the_dict(backend).update({(worker, number): worker, number: worker})


def popitem(backend: Backend, _worker: int, times: int) -> list[Any]:
    return [the_dict(backend).popitem() for _ in range(times)]


def pop_the_same_keys(backend: Backend, _worker: int, times: int) -> list[Any]:
    popped = (the_dict(backend).pop(number, None) for number in range(times))
    return [number for number in popped if number is not None]


def delete_the_same_keys(backend: Backend, _worker: int, times: int) -> list[int]:
    deleted = []
    for number in range(times):
        with suppress(KeyError):
            del the_dict(backend)[number]
            deleted.append(number)
    return deleted


def increment(backend: Backend, _worker: int, times: int) -> list[int]:
    return [the_dict(backend).increment("n") for _ in range(times)]


def increment_by_half(backend: Backend, _worker: int, times: int) -> list[float]:
    return [the_dict(backend).increment("n", 0.5) for _ in range(times)]


def add_and_discard(backend: Backend, worker: int, times: int) -> None:
    """Add members of one's own and discard every other one again."""
    for number in range(times):
        the_set(backend).add((worker, number))
        if number % 2:
            the_set(backend).discard((worker, number))


def remove_the_same_members(backend: Backend, _worker: int, times: int) -> list[Mark]:
    removed = []
    for mark in marks(1, times):
        with suppress(KeyError):
            the_set(backend).remove(mark)
            removed.append(mark)
    return removed


def pop_members(backend: Backend, _worker: int, times: int) -> list[Any]:
    return [the_set(backend).pop() for _ in range(times)]


def append_inside(backend: Backend, worker: int, times: int) -> None:
    mapping = the_dict(backend)

    def append(mark: Mark) -> None:
        mapping["k"]["in"].append(mark)

    for number in range(times):
        retried(append, (worker, number))


def add_inside(backend: Backend, worker: int, times: int) -> None:
    items = the_list(backend)

    def add(mark: Mark) -> None:
        items[1] += [mark]

    for number in range(times):
        retried(add, (worker, number))


def edit(backend: Backend, worker: int, times: int) -> None:
    mapping = the_dict(backend)

    def append(mark: Mark) -> None:
        with mapping.edit("k") as value:
            value["in"].append(mark)

    for number in range(times):
        retried(append, (worker, number))


def retried(change: Callable[[Mark], None], mark: Mark) -> None:
    """Make a change until it meets no conflict."""
    while True:
        try:
            return change(mark)
        except ConflictError:
            pass


def until(error: type[Exception], take: Callable[[], Any]) -> Iterator[Any]:
    """Yield what ``take`` gives until it raises."""
    with suppress(error):
        while True:
            yield take()
