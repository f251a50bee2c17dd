"""Old code, new code and a migration work on the same records, also in the middle of each other's operations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import date
from threading import Event
from typing import Annotated, Any, Final, TypeVar

import pytest

from persistent_collections import Backend, ObjectNotFound, Record, fetch, formerly, migrate, transaction
from persistent_collections.backends import Operation, WrappedBackend
from persistent_collections.checking import check

R = TypeVar("R")

UNSET: Final = "unset"


class OldSailor(Record, name="Sailor5"):
    fullname: str = UNSET
    born: str = ""
    visits: int = 0
    other: str = ""


class Sailor5(Record):
    name: Annotated[str, formerly("fullname")] = UNSET
    born_on: Annotated[date, formerly("born", str, lambda text: date.fromisoformat(text or "1970-01-01"))] = date(
        1970, 1, 1
    )
    seen: Annotated[int, formerly("visits")] = 0
    other: str = ""


FIELDS: Final = {"name": "fullname", "born_on": "born", "seen": "visits"}
FIRST: Final = {"name": UNSET, "born_on": date(1970, 1, 1), "seen": 0}


class Meddling(WrappedBackend):
    """A store in which something happens at random before an operation."""

    def __init__(self, backend: Backend, meddle: Callable[[], None]) -> None:
        super().__init__(backend)
        self._meddle = meddle
        self._is_busy = False

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        if not self._is_busy:
            self._is_busy = True
            try:
                self._meddle()
            finally:
                self._is_busy = False
        return call()


class World:
    """The records as they should be, and what happens to them.

    Attributes:
        model: The value of each field of each record that exists, by what the fields are called now.
        seen: The values that the record of the operation that is going on has had since it began.
    """

    def __init__(self, store: Backend, seed: int) -> None:
        self.random = random.Random(seed)
        self.inner = store
        self.store = Meddling(store, self.meddle)
        self.model: dict[str, dict[str, Any]] = {}
        self.seen: list[tuple[str, dict[str, Any] | None]] = []
        self.number = 0

    def step(self) -> None:
        """Do something, in the middle of which something else may happen."""
        self.random.choice([*STEPS.values()])(self, self.store)

    def meddle(self) -> None:
        if self.random.random() < 0.3:
            self.random.choice([old_write, new_write, old_write, delete, migrate_one])(self, self.inner)

    def any_id(self) -> str:
        return str(self.random.randrange(4))

    def value(self, name: str) -> Any:
        self.number += 1
        return {"name": f"n{self.number}", "born_on": date.fromordinal(720000 + self.number), "seen": self.number}[name]

    def some(self) -> dict[str, Any]:
        names = self.random.sample([*FIELDS], self.random.randint(1, 3))
        return {name: self.value(name) for name in names}

    def set(self, ident: str, values: dict[str, Any] | None) -> None:
        """Take note of what a record holds from now on, None if it does not exist."""
        if values is None:
            self.model.pop(ident, None)
        else:
            self.model[ident] = {**self.model.get(ident, FIRST), **values}
        self.seen.append((ident, values and dict(self.model[ident])))

    @contextmanager
    def watching(self, ident: str) -> Iterator[list[dict[str, Any] | None]]:
        """Give all that a record has been from the beginning of the block to its end, filled in at the end."""
        before, states = len(self.seen), [self.now(ident)]
        yield states
        states += [values for each, values in self.seen[before:] if each == ident]

    def now(self, ident: str) -> dict[str, Any] | None:
        return dict(self.model[ident]) if ident in self.model else None


def as_old(values: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
    return {FIELDS[name]: value for name, value in plain.items()}


def old_write(world: World, store: Backend) -> None:
    ident, values = world.any_id(), world.some()
    OldSailor.upsert(ident, backend=store, **as_old(values))
    world.set(ident, values)


def new_write(world: World, store: Backend) -> None:
    ident, values = world.any_id(), world.some()
    Sailor5.upsert(ident, backend=store, **values)
    world.set(ident, values)


def new_set(world: World, store: Backend) -> None:
    ident, name = world.any_id(), world.random.choice([*FIELDS])
    value = world.value(name)
    try:
        setattr(Sailor5.ref(ident, backend=store), name, value)
    except ObjectNotFound:
        assert ident not in world.model
    else:
        world.set(ident, {name: value})


def increment(world: World, store: Backend) -> None:
    ident = world.any_id()
    try:
        total = Sailor5.ref(ident, backend=store).increment("seen")
    except ObjectNotFound:
        assert ident not in world.model
    else:
        assert total == world.model[ident]["seen"] + 1
        world.set(ident, {"seen": total})


def change(world: World, store: Backend) -> None:
    ident, value = world.any_id(), world.value("name")
    try:
        Sailor5.ref(ident, backend=store).change("name", lambda before: f"{value}, {before[:4]}")
    except ObjectNotFound:
        assert ident not in world.model
    else:
        world.set(ident, {"name": f"{value}, {world.model[ident]['name'][:4]}"})


def update_if(world: World, store: Backend) -> None:
    ident, values = world.any_id(), world.some()
    name = world.random.choice([*FIELDS])
    state = world.now(ident) or FIRST
    past = [before[name] for each, before in world.seen[-20:] if each == ident and before]
    expected = {name: world.random.choice([state[name], state[name], world.value(name), *past])}
    with world.watching(ident) as states:
        done = Sailor5.ref(ident, backend=store).update_if(expected, **values)
    if done:
        assert world.model[ident][name] == expected[name]
        world.set(ident, values)
    else:
        assert any(state is None or state[name] != expected[name] for state in states)


def in_transaction(world: World, store: Backend) -> None:
    del store  # a conflict would be an error
    ident = world.any_id()
    if ident in world.model:
        with transaction():
            sailor = Sailor5.ref(ident, backend=world.inner)
            assert sailor.to_dict() == {**world.model[ident], "other": ""}
            sailor.seen += 1
        world.set(ident, {"seen": world.model[ident]["seen"] + 1})


def delete(world: World, store: Backend) -> None:
    if world.random.random() < 0.2:
        ident = world.any_id()
        kind: Any = world.random.choice([OldSailor, Sailor5])
        existed = kind.ref(ident, backend=store).delete()
        assert existed == (ident in world.model)
        world.set(ident, None)


def new_read(world: World, store: Backend) -> None:
    ident = world.any_id()
    sailor = Sailor5.ref(ident, backend=store)
    with world.watching(ident) as states:
        try:
            read: Any = sailor.to_dict()
        except ObjectNotFound:
            read = None
    assert read in [state and {**state, "other": ""} for state in states]


def new_fetch(world: World, store: Backend) -> None:
    del store  # each record is read at a moment of its own
    rows = list(fetch([Sailor5.ref(str(number), backend=world.inner) for number in range(4)], "id", *FIELDS))
    assert {row.pop("id"): row for row in rows} == world.model


def old_read(world: World, store: Backend) -> None:
    del store
    ident = world.any_id()
    if ident in world.model:
        sailor = OldSailor.ref(ident, backend=world.inner)
        for name, value in as_old(world.model[ident]).items():
            unset = "" if name == "born" else OldSailor.__pc__.declarations[name].default
            assert sailor[name] in (value, unset)


def migrate_one(world: World, store: Backend) -> None:
    del store
    migrate(Sailor5, backend=world.inner)


def migrate_all(world: World, store: Backend) -> None:
    del world
    migrate(Sailor5, backend=store)


STEPS: Final[dict[str, Callable[[World, Backend], None]]] = {
    step.__name__: step
    for step in (
        *(old_write, new_write, new_set, increment, change, update_if, in_transaction, delete, new_read, new_fetch),
        *(old_read, migrate_all),
    )
}


def simulate(store: Backend, seed: int, steps: int) -> None:
    world = World(store, seed)
    for _ in range(steps):
        world.step()
    new_fetch(world, store)
    migrate(Sailor5, backend=store)
    new_fetch(world, store)
    assert list(check(store, classes=[Sailor5])) == []


def write(kind: Any, field: str, ids: list[str], backend: Backend, last: dict[str, int]) -> None:
    """Write ever greater numbers to records of its own, and take note of them."""
    for number in range(1, 60):
        for ident in ids:
            kind.ref(ident, backend=backend)[field] = number
            last[ident] = number


def read(ids: list[str], backend: Backend, has_ended: Event) -> None:
    """Read records until the end; no number goes back."""
    before = dict.fromkeys(ids, 0)
    while not has_ended.is_set():
        rows = Sailor5.all(backend=backend).fetch("id", "seen")
        now = {row["id"]: row["seen"] for row in rows}
        assert now.keys() == before.keys()
        assert all(now[ident] >= before[ident] for ident in ids)
        before = now


def migrate_until(backend: Backend, has_ended: Event) -> None:
    while not has_ended.is_set():
        migrate(Sailor5, backend=backend)


@pytest.mark.slow
def test_threads_lose_no_write(backend: Backend) -> None:
    ids = [str(number) for number in range(6)]
    for ident in ids:
        OldSailor.create(ident, backend=backend)
    last, has_ended = dict[str, int](), Event()
    with ThreadPoolExecutor() as threads:
        others = [threads.submit(read, ids, backend, has_ended), threads.submit(migrate_until, backend, has_ended)]
        writers = [
            threads.submit(write, OldSailor, "visits", ids[:3], backend, last),
            threads.submit(write, Sailor5, "seen", ids[3:], backend, last),
        ]
        wait(writers)
        has_ended.set()
        for thread in (*writers, *others):
            thread.result()
    assert {row["id"]: row["seen"] for row in Sailor5.all(backend=backend).fetch("id", "seen")} == last
    assert migrate(Sailor5, backend=backend).left == 0
    assert {row["id"]: row["seen"] for row in Sailor5.all(backend=backend).fetch("id", "seen")} == last


@pytest.mark.parametrize("seed", range(2))
def test_no_wrong_value_is_read(backend: Backend, seed: int) -> None:
    simulate(backend, seed, 200)


@pytest.mark.proof
def test_no_wrong_value_is_read_in_many_steps(backend: Backend) -> None:
    simulate(backend, 7, 10_000)
