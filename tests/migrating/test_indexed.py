"""Indexes of fields under former names: after a migration they find what is stored, whoever wrote it before."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Annotated

import pytest

from persistent_collections import Backend, Record, formerly, indexed, migrate, transaction, unique
from persistent_collections.checking import check


class OldMooring(Record, name="Mooring"):
    label: str
    depth: str
    pier: str = "a"


class Mooring(Record, indexes=[("pier", "metres")]):
    code: Annotated[str, unique, formerly("label", str.lower)]
    metres: Annotated[int, indexed, formerly("depth", str, int)]
    pier: str = "a"
    note: str = ""


def find_all(store: Backend, ids: list[str]) -> None:
    """Look for each record by each index."""
    for mooring in map(Mooring.ref, ids):
        code, metres = mooring.code, mooring.metres
        assert Mooring.find(code=code).one() == mooring
        same = {other.id for other in Mooring.all() if other.metres == metres}
        assert {other.id for other in Mooring.find(metres=metres)} == same
        assert mooring in list(Mooring.find(pier=mooring.pier).order_by("metres"))
    assert list(check(store, classes=[Mooring])) == []


STEPS: list[Callable[[str, int], object]] = [
    lambda ident, number: OldMooring.ref(ident).update(label=f"L{number}", depth=str(number % 7)),
    lambda ident, number: setattr(OldMooring.ref(ident), "depth", str(number % 7)),
    lambda ident, number: Mooring.ref(ident).update(code=f"l{number}", pier="ab"[number % 2]),
    lambda ident, number: Mooring.ref(ident).increment("metres"),
    lambda ident, number: Mooring.ref(ident).update(pier="ab"[number % 2]),
    lambda ident, number: Mooring.ref(ident).update_if({"metres": number % 7}, note="?"),
    lambda ident, number: Mooring.ref(ident).change("code", lambda code: f"{code}+"),
    lambda ident, number: migrate(Mooring) if number % 3 == 0 else None,
]


def in_transaction(ident: str, number: int) -> None:
    with transaction():
        mooring = Mooring.ref(ident)
        assert mooring.update_if({"metres": mooring.metres}, note="!")
        mooring.pier = "ab"[number % 2]
        mooring.change("code", lambda code: f"{code}-")
        mooring.increment("metres")
        assert Mooring.find(code=mooring.code).one() == mooring


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("store_kind", ["json", "sqlite", "server", "cluster"])
def test_after_a_migration_indexes_find_what_is_stored(store: Backend, seed: int) -> None:
    chance, ids = random.Random(seed), [str(number) for number in range(8)]
    for number, ident in enumerate(ids):
        OldMooring.create(ident, label=f"L{number}", depth=str(number))
    Mooring.reindex()
    steps = [*STEPS, in_transaction] if store.several_roots else STEPS
    for number in range(100, 250):
        chance.choice(steps)(chance.choice(ids), number)
        if number % 30 == 0:
            assert migrate(Mooring).left == 0
            find_all(store, ids)
    migrate(Mooring)
    find_all(store, ids)
