"""Records against a model of plain dicts, lists and sets, through two handles, on every store."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persistent_collections import (
    Backend,
    ObjectExists,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
)


class Modelled(Record):
    name: str
    nickname: str | None
    count_: int = 5
    tags: list[str] = ["new"]  # noqa: RUF012 - a default is made anew for each object
    anything: Any
    best: Modelled | None
    items_: PersistentList[int] = child()
    scores: PersistentDict[str, int] = child()
    teams: PersistentSet[str] = child()


UNSET: dict[str, Any] = {"name": "", "nickname": None, "count_": 5, "tags": ["new"], "anything": None, "best": None}
EMPTY: dict[str, Any] = {"items_": [], "scores": {}, "teams": set()}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": TEXTS,
    "nickname": st.none() | TEXTS,
    "count_": st.integers(-(2**70), 2**70),
    "tags": st.lists(TEXTS, max_size=3),
    "anything": st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists, max_leaves=4),
    "best": st.none() | st.sampled_from("abc").map(Modelled.ref),
    "items_": st.lists(st.integers(), max_size=3),
    "scores": st.dictionaries(TEXTS, st.integers(), max_size=3),
    "teams": st.sets(TEXTS, max_size=3),
}


class Model:
    """What a record of the id ``x`` holds, in plain Python."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.fields: dict[str, Any] = {}
        self.children = deepcopy(EMPTY)

    def __bool__(self) -> bool:
        return bool(self.fields) or any(self.children.values())

    def update(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if name in EMPTY:
                self.children[name] = deepcopy(value)
            elif value is None and UNSET[name] is None:
                self.fields.pop(name, None)
            else:
                self.fields[name] = deepcopy(value)

    def read(self) -> dict[str, Any]:
        if not self:
            raise ObjectNotFound
        return {name: self.fields.get(name, unset) for name, unset in UNSET.items()}

    def field(self, name: str) -> Any:
        return self.read()[name]


def stores_something(values: dict[str, Any]) -> bool:
    made = Model()
    made.update(values)
    return bool(made)


def same(action: Callable[[], object], expected: Callable[[], object]) -> None:
    """Assert that both give the same or raise the same kind of error."""
    try:
        result = expected()
    except Exception as error:  # noqa: BLE001 - whatever the model raises is what is expected
        with pytest.raises(type(error)):
            action()
    else:
        assert action() == result


def update(record: Modelled, model: Model, values: dict[str, Any]) -> None:
    record.update(**values)
    model.update(values)


def construct(record: Modelled, model: Model, values: dict[str, Any]) -> None:
    assert Modelled("x", **values) == record
    model.update(values)


def create(record: Modelled, model: Model, values: dict[str, Any]) -> None:
    try:
        assert Modelled.create("x", **values) == record
    except ObjectExists:
        assert model
    except ValueError:
        assert not stores_something(values)
    else:
        assert not model
        model.update(values)


def unset(record: Modelled, model: Model, name: str) -> None:
    del record[name]
    model.fields.pop(name, None)
    model.children |= deepcopy({child: empty for child, empty in EMPTY.items() if child == name})


def increment(record: Modelled, model: Model, by: int) -> None:
    model.fields["count_"] = model.fields.get("count_", UNSET["count_"]) + by
    assert record.increment("count_", by) == model.fields["count_"]


def append_tag(record: Modelled, model: Model, tag: str) -> None:
    try:
        record.tags.append(tag)
    except ObjectNotFound:
        assert not model
    else:
        model.fields["tags"] = [*model.fields.get("tags", UNSET["tags"]), tag]


def push(record: Modelled, model: Model, item: int) -> None:
    record.items_.append(item)
    model.children["items_"].append(item)


def pop(record: Modelled, model: Model, _: None) -> None:
    same(record.items_.pop, model.children["items_"].pop)


def score(record: Modelled, model: Model, name: str) -> None:
    record.scores[name] = model.children["scores"][name] = len(name)


def toggle(record: Modelled, model: Model, teams: set[str]) -> None:
    record.teams ^= teams
    model.children["teams"] ^= teams


def delete(record: Modelled, model: Model, _: None) -> None:
    assert record.delete() == bool(model)
    model.clear()


def expire(record: Modelled, model: Model, _: None) -> None:
    same(lambda: record.expire(0), lambda: model.read() and None)
    model.clear()


SOME_VALUES = st.fixed_dictionaries({}, optional=VALUES)
ACTIONS: dict[Callable[[Modelled, Model, Any], None], st.SearchStrategy[Any]] = {
    update: SOME_VALUES,
    construct: SOME_VALUES,
    create: SOME_VALUES,
    unset: st.sampled_from([*UNSET, *EMPTY]),
    increment: st.integers(-(2**63), 2**63),
    append_tag: TEXTS,
    push: st.integers(),
    pop: st.none(),
    score: TEXTS,
    toggle: st.sets(TEXTS, max_size=2),
    delete: st.none(),
    expire: st.none(),
}
STEPS = st.lists(st.one_of([st.tuples(st.just(action), values) for action, values in ACTIONS.items()]), max_size=12)


def check(record: Modelled, model: Model) -> None:
    assert bool(record) == bool(model)
    same(record.to_dict, model.read)
    for name in UNSET:
        same(partial(record.__getitem__, name), partial(model.field, name))
    assert {name: record[name].copy() for name in EMPTY} == model.children
    assert list(Modelled.ids()) == (["x"] if model else [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_record_does_what_its_model_does(store: Backend, steps: list[tuple[Any, Any]]) -> None:
    Modelled("x").delete()
    model, handles = Model(), [Modelled("x"), Modelled("x")]
    for number, (action, value) in enumerate(steps):
        action(handles[number % 2], model, value)
        check(handles[(number + 1) % 2], model)
