"""Steps that have a script of their own do what the script for all steps does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from random import Random
from typing import Any

import pytest

from persistent_collections.backends.changes import (
    Change,
    Condition,
    Exists,
    FieldsAre,
    Make,
    Replace,
    SetDeadline,
    SetFields,
)
from persistent_collections.backends.fakeredis import FakeRedisBackend
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.redis.putting import as_putting
from persistent_collections.backends.redis.scripts import COMMIT
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import PersistentCollectionsError
from tests.backends.conftest import OTHERS
from tests.conftest import Start

pytestmark = pytest.mark.store("server")

CONTENTS: list[Content] = [{}, {"a": b"1"}, {"a": b"1", "c": b"2"}, [b"x", b"y"], {"m"}]
PUT: list[Content] = [[], [b"n"], [b"n"] * 3, {"m", "n"}, {"f": b"v"}]
CHILDREN = ("c", "d")
STATES = [
    (own, child, deadline)
    for own, child, deadline in product(CONTENTS, CONTENTS, (False, True))
    if own or child or not deadline
]


@pytest.fixture(params=["server", *OTHERS, "cluster", "fake redis"])
def backend(request: pytest.FixtureRequest, start: Start) -> Iterator[RedisBackend]:
    if request.param == "fake redis":
        yield FakeRedisBackend(server_type="redis")
        return
    with RedisBackend.from_url(StoreURL.parse(start(request.param).url)) as backend:
        yield backend


def steps(random: Random, root: str) -> tuple[list[Condition], list[Change]]:
    """Return a step on a record, such as a record's methods make, and some that they do not."""
    key, child, other = Key(root), Key(root, "c"), Key(root, "d")
    conditions: list[Condition] = [
        *random.choice([[], [Exists(key)], [Exists(key, expected=False)]]),
        *random.choice([[], [FieldsAre(key, {"c": None})], [FieldsAre(key, {"a": b"1"})]]),
    ]
    items: dict[str, bytes | None] = random.choice([{}, {"a": b"9"}, {"a": None}])
    content = random.choice(PUT)
    changes: list[Change] = [
        *random.choice([[], [Make(key, {"a": b"9", "b": b"8"}, (child, other))]]),
        *([SetFields(key, items, is_record=True)] if items else []),
        *random.choice([[], [Replace(child, content)]]),
        *random.choice([[], [Replace(other, [b"o"])]]),
    ]
    return conditions, changes


def begin(backend: RedisBackend, root: str, state: tuple[Content, Content, bool]) -> None:
    own, child, deadline = state
    assert backend.commit([], [Replace(Key(root), own), Replace(Key(root, "c"), child)])
    handle = Key(root) if own else Key(root, "c")
    if deadline:
        backend.commit([], [SetDeadline(handle, 10_000)])


def outcome(backend: RedisBackend, root: str, make: Any) -> tuple[Any, ...]:
    """Return what a step returns or raises, and what is there after it."""
    try:
        done: Any = bool(make())
    except PersistentCollectionsError as error:
        done = type(error), str(error).replace(root, "")
    entries = backend.snapshot([Key(root), *(Key(root, child) for child in CHILDREN)])
    return done, [entry and (entry.content, entry.deadline is not None) for entry in entries]


def test_steps_do_the_same_by_either_script(backend: RedisBackend) -> None:
    random, taken = Random(4), 0
    for number in range(400):
        state, seed = random.choice(STATES), random.random()
        found = []
        for name in ("one", "other"):
            root = f"T:{name}{number}"
            begin(backend, root, state)
            conditions, changes = steps(Random(seed), root)
            if name == "one":
                taken += as_putting(conditions, changes) is not None
                make = partial(backend.commit, conditions, changes)
            else:
                make = partial(backend._steps.run, COMMIT, conditions, changes)
            found.append(outcome(backend, root, make))
        assert found[0] == found[1], (state, conditions, changes)
    assert taken > 80


def test_what_is_too_long_for_one_command_goes_by_the_other_script(backend: RedisBackend) -> None:
    key, child = Key("T:x"), Key("T:x", "c")
    items = [b"%d" % number for number in range(5000)]
    changes: list[Change] = [Make(key, {"a": b"1"}, (child,)), Replace(child, items)]
    assert as_putting([], changes) is None
    assert backend.commit([], changes)
    [entry] = backend.snapshot([child])
    assert entry is not None
    assert entry.content == items
