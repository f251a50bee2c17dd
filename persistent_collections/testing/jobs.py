"""The jobs of the workers in the contention and crash suites; it needs no pytest, so that processes start fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, count
from multiprocessing.connection import Connection

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Change, Delete, Exists, Replace, SetDeadline, SetFields
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.testing.crew import connect

KEY = Key("Thing:contended")
CHILD = Key(KEY.root, "child")
FIRST, LAST = b'"first"', b'"last"'
WIDTH = 20
"""Fields or items written in one step that a reader must see all or none of."""


def mark(worker: int, number: int) -> bytes:
    """Return data that are unique for each worker and number."""
    return b"[%d,%d]" % (worker, number)


def push_right(backend: Backend, worker: int, times: int) -> None:
    """Push ``times`` items, one at a time."""
    for number in range(times):
        backend.sequence(KEY).push_right([mark(worker, number)])


def push_left(backend: Backend, worker: int, times: int) -> None:
    """Push ``times`` items, one at a time."""
    for number in range(times):
        backend.sequence(KEY).push_left([mark(worker, number)])


def insert(backend: Backend, worker: int, times: int) -> None:
    """Insert ``times`` items after the first."""
    for number in range(times):
        backend.sequence(KEY).insert(1, mark(worker, number))


def insert_pairs(backend: Backend, worker: int, times: int) -> None:
    """Insert ``times`` pairs after the first item."""
    for number in range(times):
        backend.sequence(KEY).splice(1, 1, [mark(worker, number)] * 2)


def pop(backend: Backend, _worker: int, times: int, index: int) -> list[bytes | None]:
    """Pop ``times`` items."""
    return [backend.sequence(KEY).pop(index) for _ in range(times)]


def delete(backend: Backend, _worker: int, times: int) -> int:
    """Delete ``times`` items and return how often one was there."""
    return sum(backend.sequence(KEY).pop(1) is not None for _ in range(times))


def delete_expected(backend: Backend, _worker: int, _times: int) -> list[bytes]:
    """Read and delete the first item until none is left, or one comes back, and return the deleted ones."""
    sequence, deleted = backend.sequence(KEY), list[bytes]()
    while (item := sequence.get(0)) is not None and item not in deleted:
        if sequence.pop(0, item) is not None:
            deleted.append(item)
    return deleted


def remove(backend: Backend, _worker: int, times: int) -> list[bytes]:
    """Remove the items of worker 0, all workers the same ones; return those that this worker removed."""
    items = [mark(0, number) for number in range(times)]
    return [item for item in items if backend.sequence(KEY).remove(item)]


def push_and_pop(backend: Backend, worker: int, times: int) -> list[bytes | None]:
    """Push one and pop one, in turn, and return the popped items."""
    popped = []
    for number in range(times):
        backend.sequence(KEY).push_right([mark(worker, number)])
        popped.append(backend.sequence(KEY).pop(0))
    return popped


def push_or_reverse(backend: Backend, worker: int, times: int) -> None:
    """Push items if this is worker 0, else reverse the list."""
    for number in range(times):
        if worker:
            backend.sequence(KEY).reverse()
        else:
            backend.sequence(KEY).push_right([mark(worker, number)])


def count_by_item(backend: Backend, _worker: int, times: int) -> None:
    """Add one to the first item, reading and setting it if unchanged."""
    sequence = backend.sequence(KEY)
    for _ in range(times):
        while True:
            item = sequence.get(0) or b""
            if sequence.compare_and_set(0, item, b"%d" % (int(item) + 1)):
                break


def count_by_field(backend: Backend, _worker: int, times: int) -> None:
    """Add one to a field, reading and setting it if unchanged; the first one makes it."""
    mapping = backend.mapping(KEY)
    for _ in range(times):
        while True:
            held = mapping.get("n")
            if mapping.compare_and_set("n", held, b"%d" % (int(held or 0) + 1)):
                break


def push_by_replacing(backend: Backend, worker: int, times: int) -> None:
    """Push items, reading all and replacing them if unchanged."""
    sequence = backend.sequence(KEY)
    for number in range(times):
        while True:
            items = sequence.get_slice(slice(None))
            if sequence.replace([*items, mark(worker, number)], items):
                break


def set_by_replacing(backend: Backend, worker: int, times: int) -> None:
    """Set fields, reading all and replacing them if unchanged."""
    mapping = backend.mapping(KEY)
    for number in range(times):
        while True:
            fields = mapping.get_all()
            if mapping.replace({**fields, f"{worker} {number}": mark(worker, number)}, fields):
                break


def increment(backend: Backend, _worker: int, times: int) -> list[int | None]:
    """Increment a field that starts at 100."""
    return [backend.mapping(KEY).increment("n", 1, initial=100) for _ in range(times)]


def set_fields(backend: Backend, worker: int, times: int) -> None:
    """Set ``times`` fields, one at a time."""
    for number in range(times):
        backend.mapping(KEY).set_many({f"{worker} {number}": mark(worker, number)})


def add(backend: Backend, worker: int, times: int) -> list[bytes]:
    """Add fields, all workers the same ones; return what each field then held."""
    mapping, held = backend.mapping(KEY), list[bytes]()
    for number in range(times):
        mine = mark(worker, number)
        theirs = mapping.add(str(number), mine)
        held.append(mine if theirs is None else theirs)
    return held


def pop_field(backend: Backend, _worker: int, times: int) -> list[bytes]:
    """Pop fields, all workers the same ones; return what this worker got."""
    popped = [backend.mapping(KEY).pop(str(number)) for number in range(times)]
    return [data for data in popped if data is not None]


def delete_field(backend: Backend, _worker: int, times: int) -> int:
    """Delete fields, all workers the same ones; return how many this worker deleted."""
    return sum(backend.mapping(KEY).delete(str(number)) for number in range(times))


def pop_any_field(backend: Backend, _worker: int, times: int) -> list[tuple[str, bytes] | None]:
    """Pop ``times`` fields."""
    return [backend.mapping(KEY).pop_any() for _ in range(times)]


def add_members(backend: Backend, _worker: int, times: int) -> int:
    """Add members, all workers the same ones; return how many this worker added."""
    return sum(backend.members(KEY).add({str(number)}) for number in range(times))


def remove_members(backend: Backend, _worker: int, times: int) -> int:
    """Remove members, all workers the same ones; return how many this worker removed."""
    return sum(backend.members(KEY).remove({str(number)}) for number in range(times))


def pop_any_member(backend: Backend, _worker: int, times: int) -> list[str | None]:
    """Pop ``times`` members."""
    return [backend.members(KEY).pop_any() for _ in range(times)]


def toggle_member(backend: Backend, worker: int, times: int) -> None:
    """Toggle a member of this worker and one of all."""
    for _ in range(times):
        backend.members(KEY).toggle({str(worker), "all"})


def create(backend: Backend, worker: int, times: int) -> list[int]:
    """Create records with a child, all workers the same ones; return those that this worker made."""
    made = []
    for number in range(times):
        owner = Key(f"Made:{number}")
        mine = mark(worker, number)
        changes: list[Change] = [SetFields(owner, {"by": mine}), Replace(Key(owner.root, "child"), [mine] * 2)]
        if backend.commit([Exists(owner, expected=False)], changes):
            made.append(number)
    return made


def make_and_list(backend: Backend, worker: int, times: int) -> list[list[Key]]:
    """Make and delete objects of this worker, listing all in between; return the listings."""
    listings = []
    for number in range(times):
        own = Key(f"Thing:{worker} {number}")
        backend.mapping(own).set_many({"f": FIRST})
        listings.append(list(backend.keys("Thing:")))
        backend.mapping(own).delete("f")
    return listings


def set_and_read_fields(backend: Backend, worker: int, times: int) -> list[dict[str, bytes]]:
    """Set many fields to one value and read them, in turn; return the reads that saw several values."""
    mapping, halves = backend.mapping(KEY), list[dict[str, bytes]]()
    names = list(map(str, range(WIDTH)))
    for number in range(times):
        mapping.set_many(dict.fromkeys(names, mark(worker, number)))
        seen, got = mapping.get_all(), mapping.get_many(names)
        halves += [] if len(seen) == WIDTH and len(set(seen.values())) == len(set(got)) == 1 else [seen]
    return halves


def replace_and_read_fields(backend: Backend, worker: int, times: int) -> list[dict[str, bytes]]:
    """Replace all fields by others and read them, in turn; return the reads that saw a mixture."""
    mapping, halves = backend.mapping(KEY), list[dict[str, bytes]]()
    for number in range(times):
        mapping.replace({f"{number} {field}": mark(worker, number) for field in range(WIDTH)})
        seen = mapping.get_all()
        halves += [] if len(seen) == WIDTH and len(set(seen.values())) == 1 else [seen]
    return halves


def splice_and_read_items(backend: Backend, worker: int, times: int) -> list[list[bytes]]:
    """Replace all items except the ends by equal ones and read them, in turn; return the reads that saw a mixture."""
    sequence, halves = backend.sequence(KEY), list[list[bytes]]()
    for number in range(times):
        sequence.splice(1, -1, [mark(worker, number)] * (WIDTH + number % 3))
        first, *middle, last = seen = sequence.get_slice(slice(None))
        whole = (first, last) == (FIRST, LAST) and len(set(middle)) == 1 and len(middle) in range(WIDTH, WIDTH + 3)
        halves += [] if whole else [seen]
    return halves


def reverse_and_read_items(backend: Backend, _worker: int, times: int) -> list[list[bytes]]:
    """Reverse the items and read them, in turn; return the reads that saw neither order."""
    sequence, halves = backend.sequence(KEY), list[list[bytes]]()
    model = [b"%d" % number for number in range(WIDTH)]
    for _ in range(times):
        sequence.reverse()
        seen = sequence.get_slice(slice(None))
        halves += [] if seen in (model, model[::-1]) else [seen]
    return halves


def move_and_read_members(backend: Backend, worker: int, times: int) -> list[set[str]]:
    """Move a member between two sets and unite them, in turn; return the unions without it."""
    halves = []
    for number in range(times):
        contents = [{"moved"}, set[str]()]
        there = (number + worker) % 2
        backend.commit([], [Replace(KEY, contents[there]), Replace(CHILD, contents[1 - there])])
        seen = backend.members(KEY).combine("union", [CHILD])
        halves += [] if seen == {"moved"} else [seen]
    return halves


def move_and_take_snapshots(backend: Backend, worker: int, times: int) -> list[list[Entry | None]]:
    """Move an item between two keys and read both, in turn; return the snapshots without it, or with it twice."""
    halves = []
    for number in range(times):
        keys = [KEY, CHILD] if (number + worker) % 2 else [CHILD, KEY]
        backend.commit([], [Delete(keys[0]), Delete(keys[1]), Replace(keys[0], [FIRST])])
        [*_, whole] = backend.snapshots([[KEY, CHILD]])
        for seen in (whole, backend.snapshot([KEY, CHILD])):
            assert isinstance(seen, list), seen
            halves += [] if len([entry for entry in seen if entry]) == 1 else [seen]
    return halves


def change_and_page(backend: Backend, worker: int, times: int) -> list[list[str]]:
    """Set and delete fields of this worker, iterating in between; return the fields of each iteration."""
    mapping, pagings = backend.mapping(KEY), list[list[str]]()
    for number in range(times):
        own = [f"{worker} {number} {field}" for field in range(500)]
        mapping.set_many(dict.fromkeys(own, FIRST))
        pagings.append([field for field, _ in chain.from_iterable(mapping.pages())])
        mapping.set_many(dict.fromkeys(own))
    return pagings


def fork_and_increment(kind: type[Backend], url: str, times: int) -> None:
    """Increment a field once, then with the same backend both here and in a fork that inherits it."""
    with connect(kind, url) as backend:
        mapping = backend.mapping(KEY)
        mapping.increment("n", 1)
        fork = os.fork()
        for _ in range(times):
            mapping.increment("n", 1)
        if fork == 0:
            os._exit(0)
        os.waitpid(fork, 0)


def write_until_killed(kind: type[Backend], url: str, root: str, acknowledged: Connection) -> None:
    """Write forever, and send the number of each round once all its writes have returned."""
    with connect(kind, url) as backend:
        for number in _rounds(backend, root):
            acknowledged.send(number)


def _rounds(backend: Backend, root: str) -> Iterator[int]:
    for number in count():
        data = b"%d" % number
        backend.commit([], [SetFields(Key(root), {"n": data}), Replace(Key(root, "child"), [data] * 3)])
        backend.sequence(Key(root, "log")).push_right([data])
        backend.sequence(Key(root, "window")).splice(0, WIDTH, [data] * WIDTH)
        backend.mapping(Key(root, "fields")).set_many(dict.fromkeys(map(str, range(WIDTH)), data))
        backend.mapping(Key(root, "large")).replace({"n": data, "large": b'"%s"' % (b"%08d" % number * 40_000)})
        backend.commit([], [SetDeadline(Key(root), 10_000 + number), SetDeadline(Key(root, "child"), 10_000 + number)])
        yield number
