"""A transaction of random operations does what these do on built-ins, or is a conflict with nothing done."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from persistent_collections import (
    Backend,
    ConflictError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    transaction,
    use_backend,
)
from persistent_collections.testing.transactions import elsewhere
from tests.collections.comparing import compiled, outcome, shown

QUICK: Final = settings(
    max_examples=15,
    stateful_step_count=15,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
LONG: Final = settings(QUICK, max_examples=int(os.environ.get("MODEL_EXAMPLES", "200")), stateful_step_count=40)

# it: all of the objects: a and b are lists, c and d dicts, e and f sets; i: an index; k: a key; x: a number.
STATEMENTS: Final = [
    compiled(line)
    for line in """
it["a"].append(x)
it["b"].append(x)
it["a"].extend([x, x])
it["a"].insert(i, x)
it["a"].insert(0, x)
it["a"].pop()
it["a"].pop(0)
it["a"].pop(i)
it["b"].pop()
it["a"][i]
it["b"][-1]
it["b"][0]
it["a"][i] = x
del it["a"][i]
it["a"][1:3] = [x]
it["a"].remove(x)
it["a"].sort()
it["b"].reverse()
it["a"].clear()
it["b"].append(it["a"].pop())
it["a"].extend(it["b"])
len(it["a"])
list(it["a"])
list(it["b"])
x in it["b"]
it["a"].index(x)
it["c"][k] = x
it["d"][k] = x
it["c"][k] = it["d"][k]
it["d"][k] = it["d"][k] + x
del it["c"][k]
it["c"].pop(k)
it["d"].pop(k, None)
it["c"].setdefault(k, x)
it["c"].update({"k": x, "m": x})
it["c"].update(it["d"])
it["d"].clear()
it["c"].get(k)
k in it["d"]
len(it["c"])
dict(it["c"])
sorted(it["d"].items())
it["c"]["list"] = [x]
it["c"]["list"].append(x)
it["c"].setdefault("list", []).append(x)
it["e"].add(k)
it["f"].add(k)
it["e"].discard(k)
it["e"].remove(k)
k in it["e"]
set(it["e"])
len(it["f"])
it["e"].update({"k", "m"})
it["e"].intersection_update(it["f"])
it["e"] & it["f"]
it["f"].clear()
it["a"].append(len(it["c"]))
it["c"][k] = len(it["e"])
""".strip().splitlines()
]
DRAWN: Final = st.lists(
    st.tuples(
        st.sampled_from(STATEMENTS),
        st.fixed_dictionaries({"i": st.integers(-3, 3), "k": st.sampled_from("kmn"), "x": st.integers(0, 3)}),
    ),
    min_size=1,
    max_size=6,
)
EMPTY: Final[dict[str, Any]] = {"a": [], "b": [], "c": {}, "d": {}, "e": set(), "f": set()}


class Aborted(Exception):  # noqa: N818 - the name says the condition
    pass


class Transactions(RuleBasedStateMachine):
    """Compares objects, and what operations on them give, with built-ins."""

    backend: Backend

    def __init__(self) -> None:
        super().__init__()
        self.model = deepcopy(EMPTY)
        with use_backend(self.backend):
            kinds: dict[str, Callable[[], Any]] = {"a": PersistentList, "c": PersistentDict, "e": PersistentSet}
            made = {name: kinds[chr(ord(name) - (ord(name) - ord("a")) % 2)]() for name in EMPTY}
        self.stored = made

    @rule(done=DRAWN)
    def commit(self, done: list[Any]) -> None:
        with transaction():
            given = self.do(done, self.stored)
        assert given == self.do(done, self.model)
        self.compare()

    @rule(done=DRAWN)
    def abort(self, done: list[Any]) -> None:
        with pytest.raises(Aborted), transaction():
            assert self.do(done, self.stored) == self.do(done, deepcopy(self.model))
            raise Aborted
        self.compare()

    @rule(done=DRAWN, others=DRAWN, at=st.integers(0, 6))
    def meet(self, done: list[Any], others: list[Any], at: int) -> None:
        """Let other operations come in between: the transaction is as if after them, or does nothing."""
        given = None
        try:
            with transaction():
                first = self.do(done[:at], self.stored)
                elsewhere(lambda: self.do(others, self.stored))
                given = first + self.do(done[at:], self.stored)
        except ConflictError:
            given = None
        orders = [[others]] if given is None else [[others, done], [done, others]]
        models = [model for order in orders if (model := self.explained(order, done, given))]
        assert models, "no order explains what was seen and is stored"
        self.model = models[0]

    def explained(self, order: list[list[Any]], done: list[Any], given: list[Any] | None) -> dict[str, Any] | None:
        """Return what built-ins hold after an order of operations if that is what was seen and is stored."""
        model = deepcopy(self.model)
        for each in order:
            gave = self.do(each, model)
            if each is done and gave != given:
                return None
        is_stored = all(shown(stored.copy()) == shown(model[name]) for name, stored in self.stored.items())
        return model if is_stored else None

    def do(self, done: list[Any], objects: dict[str, Any]) -> list[Any]:
        """Do operations, and return what they raised and gave."""
        return [self.done(statement, names, objects) for statement, names in done]

    def done(self, statement: Any, names: dict[str, Any], objects: dict[str, Any]) -> Any:
        error, gave = outcome(statement, {**deepcopy(names), "it": dict(objects)})
        if error is not None and issubclass(error, ConflictError):
            raise error
        kinds = (IndexError, KeyError, ValueError, AttributeError, TypeError)
        return next((kind for kind in kinds if error and issubclass(error, kind)), error), shown(gave)

    def compare(self) -> None:
        """Check that the store holds what the built-ins hold."""
        for name, stored in self.stored.items():
            assert shown(stored.copy()) == shown(self.model[name]), name


def compare(backend: Backend, settings: settings) -> None:
    run_state_machine_as_test(type("Transactions", (Transactions,), {"backend": backend}), settings=settings)


def test_a_list_that_was_emptied_is_reversed(backend: Backend) -> None:
    with use_backend(backend):
        items = PersistentList("x", [1])
        with transaction():
            items.pop()
            items.reverse()
        assert items[:] == []


STORES: Final = ["memory", "fakeredis", "json", "sqlite", "server", "sentinel"]


@pytest.mark.parametrize("store_kind", STORES)
def test_a_transaction_does_what_built_ins_do(backend: Backend) -> None:
    compare(backend, QUICK)


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize("store_kind", STORES)
def test_many_transactions_do_what_built_ins_do(backend: Backend) -> None:
    compare(backend, LONG)
