"""Random calls, each compared with the result of the reference store."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, ClassVar, Final, TypeAlias

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.scratch import ScratchBackend
from persistent_collections.testing.backends.base import KEY, StoreTests, assert_same, read_content
from persistent_collections.testing.backends.data import A, B, C, D

Arguments: TypeAlias = Callable[[Random], tuple[Any, ...]]


def _datum(random: Random) -> bytes:
    return random.choice((A, B, C, D, b"0", b"-7"))


def _data(random: Random) -> list[bytes]:
    return [_datum(random) for _ in range(random.randrange(5))]


def _index(random: Random) -> int:
    return random.randint(-9, 9)


def _bound(random: Random) -> int | None:
    return random.choice((None, _index(random)))


def _where(random: Random) -> slice:
    return slice(_bound(random), _bound(random), random.choice((-3, -2, -1, 2, 3)))


def _field(random: Random) -> str:
    return random.choice(("", "a", "b", "A", "n", "é"))


def _fields(random: Random) -> dict[str, bytes]:
    return {_field(random): _datum(random) for _ in range(random.randrange(4))}


def _texts(random: Random) -> set[str]:
    return {_field(random) for _ in range(random.randrange(5))}


def _maybe(random: Random, datum: bytes) -> bytes | None:
    return random.choice((None, datum))


MAPPING: Final[dict[str, Arguments]] = {
    "get": lambda r: (_field(r),),
    "get_many": lambda r: (sorted(_texts(r)),),
    "set_many": lambda r: ({field: _maybe(r, datum) for field, datum in _fields(r).items()},),
    "add": lambda r: (_field(r), _datum(r)),
    "delete": lambda r: (_field(r),),
    "pop": lambda r: (_field(r),),
    "contains": lambda r: (_field(r),),
    "size": lambda _: (),
    "replace": lambda r: (_fields(r), r.choice((None, _fields(r)))),
    "compare_and_set": lambda r: (_field(r), _maybe(r, _datum(r)), _maybe(r, _datum(r))),
    "increment": lambda r: (_field(r), _index(r), _index(r)),
}
SEQUENCE: Final[dict[str, Arguments]] = {
    "size": lambda _: (),
    "get": lambda r: (_index(r),),
    "get_slice": lambda r: (_where(r),),
    "set": lambda r: (_index(r), _datum(r)),
    "compare_and_set": lambda r: (_index(r), _datum(r), _datum(r)),
    "push_right": lambda r: (_data(r),),
    "push_left": lambda r: (_data(r),),
    "pop": lambda r: (_index(r), _maybe(r, _datum(r))),
    "insert": lambda r: (_index(r), _datum(r)),
    "splice": lambda r: (_bound(r), _bound(r), _data(r)),
    "set_stride": lambda r: (_where(r), _data(r)),
    "delete_stride": lambda r: (_where(r),),
    "find": lambda r: (_datum(r), _bound(r), _bound(r)),
    "count": lambda r: (_datum(r),),
    "remove": lambda r: (_datum(r),),
    "repeat": lambda r: (r.choice((-1, 0, 1, 1, 1, 2)),),
    "reverse": lambda _: (),
    "replace": lambda r: (_data(r), r.choice((None, _data(r)))),
}
MEMBERS: Final[dict[str, Arguments]] = {
    "contains": lambda r: (_field(r),),
    "size": lambda _: (),
    "add": lambda r: (_texts(r),),
    "remove": lambda r: (_texts(r),),
    "retain": lambda r: (_texts(r) | _texts(r),),
    "toggle": lambda r: (_texts(r),),
    "replace": lambda r: (_texts(r),),
}


class WalkTests(StoreTests):
    """Method after method on one key.

    Attributes:
        steps: How many calls a walk makes.
        seeds: The seeds of the walks.
    """

    steps: ClassVar[int] = 300
    seeds: ClassVar[range] = range(2)

    @pytest.mark.parametrize(
        ("shape", "calls"),
        [("mapping", MAPPING), ("sequence", SEQUENCE), ("members", MEMBERS)],
        ids=["mapping", "sequence", "members"],
    )
    def test_call_after_call_does_what_the_reference_does(
        self, backend: Backend, shape: str, calls: dict[str, Arguments]
    ) -> None:
        reference = ScratchBackend("reference:", "bytes")
        for seed in self.seeds:
            random = Random(seed)  # noqa: S311 - a walk that anyone can take again, not a secret
            for step in range(self.steps):
                name = random.choice(list(calls))
                arguments = calls[name](random)
                expected = getattr(getattr(reference, shape)(KEY), name)(*arguments)
                found = getattr(getattr(backend, shape)(KEY), name)(*arguments)
                told = f"step {step} of seed {seed}: {name}{arguments}"
                assert found == expected, told
                assert_same(backend, read_content(backend, KEY), read_content(reference, KEY), told)
