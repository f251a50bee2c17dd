"""Random statements at random depth in a stored value, compared with a plain value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from types import CodeType
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from persistent_collections import Backend
from tests.collections.comparing import assert_same, each, shown, shown_folded, unaliased
from tests.collections.holding import HOLDS, Hold
from tests.collections.statements import (
    CHANGING_A_DICT,
    CHANGING_A_LIST,
    CHANGING_A_SET,
    FLAT,
    KEYS,
    NESTED,
    NESTED_IN_A_DICT,
    NESTED_IN_A_LIST,
    ORDERED_DICT,
    READING_A_DICT,
    READING_A_LIST,
    READING_A_SET,
    Names,
    dict_names,
    list_names,
    set_names,
)
from tests.collections.test_models import LONG, QUICK

START: Final = {"list": [1, [2, []], ([3],)], "dict": {"a": {}}, "set": {1}}
OTHERS: Final[dict[type, Any]] = {list: [[0], "o"], dict: {"a": [0]}, set: {1, "o"}}
NAMES: Final[dict[type, Names]] = {
    list: list_names([*FLAT, *NESTED]),
    dict: dict_names(KEYS),
    set: set_names(KEYS),
}
STATEMENTS: Final[dict[type, st.SearchStrategy[CodeType]]] = {
    list: st.sampled_from(each(READING_A_LIST, CHANGING_A_LIST, NESTED_IN_A_LIST)),
    dict: st.sampled_from(each(READING_A_DICT, CHANGING_A_DICT, NESTED_IN_A_DICT, ORDERED_DICT)),
    set: st.sampled_from(each(READING_A_SET, CHANGING_A_SET)),
}
WIDE: Final = 400
"""How long the repr of the value may become before it is replaced."""


def inside(value: Any) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    """Yield what lies in a container and can be walked into, each with the way to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for where, item in items:
        if isinstance(item, list | dict | set | tuple):
            yield item, lambda container, where=where: container[where]  # type: ignore[misc] # a default is its type


def has_aliases(value: Any, seen: set[int]) -> bool:
    """Say whether one container lies in ``value`` twice, as it does no more when read anew."""
    seen.add(id(value))
    return any(id(item) in seen or has_aliases(item, seen) for item, _ in inside(value))


class NestedComparison(RuleBasedStateMachine):
    """Compares a value in a store with a plain one."""

    backend: Backend
    hold: Hold

    def __init__(self) -> None:
        super().__init__()
        self.held = type(self).hold(self.backend, None)
        self.replace()

    def replace(self) -> None:
        """Put the value it starts with in the store."""
        self.model: Any = deepcopy(START)
        self.held.owner[self.held.where] = deepcopy(START)
        self.root = self.held.read()

    @rule(again=st.booleans(), depth=st.integers(0, 4), data=st.data())
    def do(self, again: bool, depth: int, data: st.DataObject) -> None:
        if again:
            self.root = self.held.read()
        ours, model = self.root, self.model
        for _ in range(depth):
            ways = [way for _, way in inside(model)]
            if ways:
                way = data.draw(st.sampled_from(ways))
                ours, model = way(ours), way(model)
        if not isinstance(model, tuple):
            self.compare(ours, model, data)

    def compare(self, ours: Any, model: Any, data: st.DataObject) -> None:
        kind = type(model)
        statement = data.draw(STATEMENTS[kind])
        names = {**data.draw(st.fixed_dictionaries(NAMES[kind])), "o": OTHERS[kind]}
        show = shown if kind is list else shown_folded
        assert_same(statement, {**deepcopy(names), "it": ours}, {**names, "it": model}, show)
        self.model = unaliased(self.model)
        assert shown(self.root) == shown(self.model), f"{statement.co_filename}: the value in hand"
        assert shown(self.held.stored()) == shown(self.model), f"{statement.co_filename}: what is stored"
        if has_aliases(self.root, set()):
            self.root = self.held.read()

    @precondition(lambda self: len(repr(self.model)) > WIDE)
    @rule()
    def start_anew(self) -> None:
        self.replace()


@pytest.mark.parametrize("hold", HOLDS)
def test_statements_at_any_depth_do_what_they_do_in_a_plain_value(backend: Backend, hold: Hold) -> None:
    machine = type("Compared", (NestedComparison,), {"backend": backend, "hold": staticmethod(hold)})
    run_state_machine_as_test(machine, settings=settings(QUICK, max_examples=4))


@pytest.mark.slow
@pytest.mark.parametrize("hold", HOLDS)
def test_many_statements_at_any_depth_do_what_they_do_in_a_plain_value(backend: Backend, hold: Hold) -> None:
    machine = type("Compared", (NestedComparison,), {"backend": backend, "hold": staticmethod(hold)})
    run_state_machine_as_test(machine, settings=LONG)
