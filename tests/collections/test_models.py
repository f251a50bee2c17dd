"""Random statements on objects in a store, by two handles in turn, compared with the built-ins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from copy import deepcopy
from types import CodeType
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from persistent_collections import Backend, PersistentDict, PersistentList, PersistentSet, use_backend
from tests.collections.comparing import assert_same, compiled, each, folded, refill, shown, shown_folded, unaliased
from tests.collections.statements import (
    ANY_KEYS,
    CHANGING_A_DICT,
    CHANGING_A_LIST,
    CHANGING_A_SET,
    FLAT,
    FOLDED,
    INTS,
    KEYS,
    NESTED,
    NESTED_IN_A_DICT,
    NESTED_IN_A_LIST,
    ORDERED_DICT,
    READING_A_DICT,
    READING_A_LIST,
    READING_A_SET,
    SETS_IN_A_SET,
    TEXTS,
    Names,
    dict_names,
    list_names,
    set_names,
)

QUICK: Final = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
LONG: Final = settings(QUICK, max_examples=int(os.environ.get("MODEL_EXAMPLES", "6")), stateful_step_count=50)
"""Fifty statements an example; the variable asks for more of them than fit in an ordinary run."""

WIDE: Final = 25
"""How many items an object may come to before it is emptied."""


class Kind(NamedTuple):
    """What is compared.

    Attributes:
        ours: The class of the object.
        built_in: What it is like.
        names: What each name in a statement may stand for.
        other: What the other object holds.
        tables: The statements.
    """

    ours: Any
    built_in: type[Any]
    names: Names
    other: Iterable[Any]
    tables: Sequence[str]


LISTS: Final = (READING_A_LIST, CHANGING_A_LIST, NESTED_IN_A_LIST)
DICTS: Final = (READING_A_DICT, CHANGING_A_DICT, NESTED_IN_A_DICT)
SETS: Final = (READING_A_SET, CHANGING_A_SET)
KINDS: Final = {
    "list": Kind(PersistentList, list, list_names([*FLAT, *NESTED]), [*FLAT[::5], *NESTED[::5]], LISTS),
    "list[int]": Kind(PersistentList[int], list, list_names(INTS), INTS[:2], LISTS),
    "list[str]": Kind(PersistentList[str], list, list_names(TEXTS), TEXTS[:2], LISTS),
    "dict": Kind(PersistentDict, dict, dict_names(TEXTS), [*zip(TEXTS[:3], NESTED, strict=False)], DICTS),
    "dict[Any]": Kind(
        PersistentDict[Any, Any], dict, dict_names(KEYS), [*zip(KEYS[::3], NESTED, strict=False)], (*DICTS, ANY_KEYS)
    ),
    "set": Kind(PersistentSet, set, set_names(TEXTS), TEXTS[:3], SETS),
    "set[Any]": Kind(PersistentSet[Any], set, set_names(KEYS), KEYS[::3], (*SETS, SETS_IN_A_SET)),
}


class Comparison(RuleBasedStateMachine):
    """Compares an object, reached by two handles, with the built-in it is like."""

    backend: Backend
    kind: Kind

    def __init__(self) -> None:
        super().__init__()
        backend, kind = self.backend, self.kind
        self.model, self.other_model = kind.built_in(), folded(kind.built_in(kind.other))
        first, self.other = kind.ours(backend=backend), kind.ours(None, self.other_model, backend=backend)
        with use_backend(backend):
            self.handles = [first, kind.ours.ref(first.id)]
        self.ordered = kind.built_in is dict and backend.ordered
        tables = [*kind.tables, ORDERED_DICT] if self.ordered else kind.tables
        self.statements = st.sampled_from(each(*tables))
        self.names = st.fixed_dictionaries(kind.names)

    @rule(which=st.booleans(), data=st.data())
    def do(self, which: bool, data: st.DataObject) -> None:
        statement, names = data.draw(self.statements), data.draw(self.names)
        for_model = {name: folded(value) if name in FOLDED else value for name, value in deepcopy(names).items()}
        ours = {**names, "it": self.handles[which], "o": self.other}
        model = {**for_model, "it": self.model, "o": self.other_model}
        assert_same(statement, ours, model, shown if isinstance(self.model, list) else shown_folded)
        self.compare(self.handles[not which], statement)

    @precondition(lambda self: not isinstance(self.model, list))
    @rule(which=st.booleans())
    def take_any(self, which: bool) -> None:
        take = self.handles[which].popitem if isinstance(self.model, dict) else self.handles[which].pop
        if not self.model:
            with pytest.raises(KeyError, match="empty"):
                take()
            return
        taken = take()
        assert shown(taken) in map(shown, self.model.items() if isinstance(self.model, dict) else self.model)
        if isinstance(self.model, dict):
            del self.model[taken[0]]
        else:
            self.model.remove(taken)
        self.compare(self.handles[not which], compiled("it.pop()"))

    @precondition(lambda self: len(self.model) > WIDE)
    @rule(which=st.booleans())
    def empty(self, which: bool) -> None:
        assert self.handles[which].delete()
        self.model.clear()

    def compare(self, reader: Any, statement: CodeType) -> None:
        """Check that the other handle sees all that the built-in holds."""
        refill(self.model, unaliased(self.model))
        content = reader.copy()
        assert shown(content) == shown(self.model), statement.co_filename
        assert not self.ordered or list(map(shown, content)) == list(map(shown, self.model)), statement.co_filename
        assert bool(reader) == bool(self.model), "an emptied one does not exist, and no other"


def compare(backend: Backend, kind: Kind, settings: settings) -> None:
    run_state_machine_as_test(type("Comparison", (Comparison,), {"backend": backend, "kind": kind}), settings=settings)


@pytest.mark.parametrize("name", KINDS)
def test_two_handles_in_turn_do_what_a_built_in_does(backend: Backend, name: str) -> None:
    compare(backend, KINDS[name], QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_many_statements_do_what_they_do_on_a_built_in(backend: Backend, name: str) -> None:
    compare(backend, KINDS[name], LONG)
