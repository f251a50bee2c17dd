"""Records of two versions of a class against a model of plain dicts, lists and sets, on every store."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from time import sleep
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
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
from persistent_collections.backends.keys import Key


class Target(Record):
    name: str = ""


class Older(Record, name="Modelled"):
    name: str
    nickname: str | None
    count_: int = 5
    tags: list[str] = ["new"]  # noqa: RUF012 - a default is made anew for each object
    anything: Any
    best: Target | None
    items_: PersistentList[int] = child()
    scores: PersistentDict[str, int] = child()
    teams: PersistentSet[str] = child()


class Newer(Older, name="Modelled"):
    level: int = 7
    notes: PersistentList[str] = child()


Handle: TypeAlias = Older

UNSET: dict[str, Any] = {"name": "", "nickname": None, "count_": 5, "tags": ["new"], "anything": None, "best": None}
EMPTY: dict[str, Any] = {"items_": [], "scores": {}, "teams": set(), "notes": []}
DEFAULTS = {Older: {"count_": 5, "tags": ["new"]}, Newer: {"count_": 5, "tags": ["new"], "level": 7}}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": TEXTS,
    "nickname": st.none() | TEXTS,
    "count_": st.integers(-(2**70), 2**70),
    "tags": st.lists(TEXTS, max_size=3),
    "anything": st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists, max_leaves=4),
    "best": st.none() | st.sampled_from("abc").map(Target.ref),
    "items_": st.lists(st.integers(), max_size=3),
    "scores": st.dictionaries(TEXTS, st.integers(), max_size=3),
    "teams": st.sets(TEXTS, max_size=3),
}


class Model:
    """What the record of the id ``x`` holds, in plain Python; ``fields`` is None while it does not exist."""

    def __init__(self, *, lists_children: bool) -> None:
        self.lists_children = lists_children
        self.fields: dict[str, Any] | None = None
        self.children = deepcopy(EMPTY)
        self.has_deadline = False

    def __bool__(self) -> bool:
        return self.fields is not None

    def make(self, version: type[Older]) -> None:
        """Make the record, if it does not exist, by a version of the class."""
        if self.fields is None:
            self.has_deadline = False
            self.fields = deepcopy(DEFAULTS[version])
            known = (
                EMPTY if self.lists_children else {name: EMPTY[name] for name in EMPTY if name in children_of(version)}
            )
            self.children |= deepcopy(known)

    def require(self) -> dict[str, Any]:
        if self.fields is None:
            raise ObjectNotFound
        return self.fields

    def update(self, values: dict[str, Any]) -> None:
        fields = self.require()
        for name, value in values.items():
            if name in EMPTY:
                self.children[name] = deepcopy(value)
            elif value is None and UNSET[name] is None:
                fields.pop(name, None)
            else:
                fields[name] = deepcopy(value)

    def set_deadline(self, *, there: bool) -> None:
        self.require()
        self.has_deadline = there

    def delete(self, version: type[Older]) -> None:
        self.fields = None
        self.empty(version)

    def empty(self, version: type[Older]) -> None:
        """Delete the children; on a store that cannot list them, those that the version declares."""
        gone = EMPTY if self.lists_children else {name: EMPTY[name] for name in children_of(version)}
        self.children |= deepcopy(gone)

    def read(self) -> dict[str, Any]:
        fields = self.require()
        return {name: fields.get(name, unset) for name, unset in UNSET.items()}

    def field(self, name: str) -> Any:
        return self.read()[name]


def children_of(version: type[Older]) -> set[str]:
    return {name for name in EMPTY if name in version.ref("x")}


def same(action: Callable[[], object], expected: Callable[[], object]) -> None:
    """Assert that both give the same or raise the same kind of error."""
    try:
        result = expected()
    except Exception as error:  # noqa: BLE001 - whatever the model raises is what is expected
        with pytest.raises(type(error)):
            action()
    else:
        assert action() == result


def writing(record: Handle, model: Model, action: Callable[[], object], expected: Callable[[], object]) -> None:
    """Compare a write: a bare handle makes the record if the write stores something."""
    made = not model and record.__pc__.is_bare
    if made:
        left = deepcopy(model.children)  # by a class that does not declare them
        model.make(type(record))
        before = deepcopy((model.fields, model.children))
    elif not model:
        with pytest.raises(ObjectNotFound):
            action()
        return
    same(action, expected)
    if made and (model.fields, model.children) == before:
        model.fields, model.children = None, left


def update(record: Handle, model: Model, values: dict[str, Any]) -> None:
    if values:
        made = not model and record.__pc__.is_bare
        if made:
            model.make(type(record))
        same(lambda: record.update(**values), lambda: model.update(values))


def construct(record: Handle, model: Model, values: dict[str, Any]) -> None:
    if values:
        assert type(record)("x", **values) == record
        model.make(type(record))
        model.update(values)


def upsert(record: Handle, model: Model, values: dict[str, Any]) -> None:
    assert type(record).upsert("x", **values)
    model.make(type(record))
    model.update({name: value for name, value in values.items() if name != "expire"})


def create(record: Handle, model: Model, values: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "n", "anything": 1} | values
    try:
        assert type(record).create("x", **given) == record
    except ObjectExists:
        assert model
    else:
        assert not model
        model.make(type(record))
        model.update(given)


def update_if(record: Handle, model: Model, values: dict[str, Any]) -> None:
    expected = {"count_": 5, "nickname": None}
    holds = bool(model) and all(model.field(name) == value for name, value in expected.items())
    assert record.update_if(expected, **values) is holds
    if holds:
        model.update(values)


def delete_if(record: Handle, model: Model, name: str) -> None:
    holds = bool(model) and model.field("name") == name
    assert record.delete_if({"name": name}) is holds
    if holds:
        model.delete(type(record))


def unset(record: Handle, model: Model, name: str) -> None:
    def expected() -> None:
        if name in EMPTY:
            model.children[name] = deepcopy(EMPTY[name])
        else:
            model.require().pop(name, None)

    if name in EMPTY and not model:
        with pytest.raises(ObjectNotFound):
            del record[name]
    else:
        writing(record, model, lambda: record.__delitem__(name), expected)


def increment(record: Handle, model: Model, by: int) -> None:
    def expected() -> int:
        fields = model.require()
        fields["count_"] = fields.get("count_", UNSET["count_"]) + by
        total: int = fields["count_"]
        return total

    made = not model and record.__pc__.is_bare
    if made:
        model.make(type(record))
    same(lambda: record.increment("count_", by), expected)


def change(record: Handle, model: Model, tag: str) -> None:
    def expected() -> list[str]:
        fields = model.require()
        tags: list[str] = [*fields.get("tags", UNSET["tags"]), tag]
        fields["tags"] = tags
        return tags

    if not model and record.__pc__.is_bare:
        model.make(type(record))
    same(lambda: record.change("tags", lambda tags: [*tags, tag]), expected)


def write_tag(record: Handle, model: Model, how: tuple[Callable[[Handle, str], None], str]) -> None:
    write, tag = how
    try:
        write(record, tag)
    except ObjectNotFound:
        assert not model
    else:
        fields = model.require()
        fields["tags"] = [*fields.get("tags", UNSET["tags"]), tag]


def append_tag(record: Handle, tag: str) -> None:
    record.tags.append(tag)


def extend_tags(record: Handle, tag: str) -> None:
    record.tags += [tag]


def edit_tags(record: Handle, tag: str) -> None:
    with record.edit("tags") as tags:
        tags.append(tag)


def write_deeply(record: Handle, model: Model, number: int) -> None:
    """Change a list in a dict in a list."""
    if model and record.update_if({}, anything=[{"a": [1]}]):
        record.anything[0]["a"].append(number)
        model.update({"anything": [{"a": [1, number]}]})


def push(record: Handle, model: Model, item: int) -> None:
    writing(record, model, lambda: record.items_.append(item), lambda: model.children["items_"].append(item))


def note(record: Handle, model: Model, text: str) -> None:
    if isinstance(record, Newer):
        notes = record.notes
        writing(record, model, lambda: notes.append(text), lambda: model.children["notes"].append(text))


def pop(record: Handle, model: Model, _: None) -> None:
    writing(record, model, record.items_.pop, model.children["items_"].pop)


def clear(record: Handle, model: Model, name: str) -> None:
    def expected() -> None:
        model.children[name].clear()

    writing(record, model, record[name].clear, expected)


def insert(record: Handle, model: Model, items: list[int]) -> None:
    def expected() -> None:
        model.children["items_"][1:2] = items

    writing(record, model, lambda: record.items_.__setitem__(slice(1, 2), items), expected)


def score(record: Handle, model: Model, name: str) -> None:
    def expected() -> None:
        model.children["scores"][name] = len(name)

    writing(record, model, lambda: record.scores.__setitem__(name, len(name)), expected)


def toggle(record: Handle, model: Model, teams: set[str]) -> None:
    def expected() -> None:
        model.children["teams"] ^= teams

    writing(record, model, lambda: record.teams.symmetric_difference_update(teams), expected)


def delete(record: Handle, model: Model, _: None) -> None:
    assert record.delete() == bool(model)
    if model:
        model.delete(type(record))


def expire(record: Handle, model: Model, _: None) -> None:
    same(lambda: record.expire(0), lambda: model.set_deadline(there=True))
    if model:
        model.delete(type(record))


def run_out(record: Handle, model: Model, _: None) -> None:
    """Let a record vanish after a while, and not at once."""
    same(lambda: record.expire(0.003), lambda: model.set_deadline(there=True))
    if model:
        sleep(0.006)
        model.delete(type(record))


def expire_later(record: Handle, model: Model, _: None) -> None:
    same(lambda: record.expire(1000), lambda: model.set_deadline(there=True))


def persist(record: Handle, model: Model, _: None) -> None:
    same(record.persist, lambda: model.set_deadline(there=False))


def update_until(record: Handle, model: Model, values: dict[str, Any]) -> None:
    if not model and record.__pc__.is_bare:
        model.make(type(record))
    same(lambda: record.update(**values, expire=1000), lambda: model.update(values))
    if model:
        model.has_deadline = True


def upsert_until(record: Handle, model: Model, values: dict[str, Any]) -> None:
    upsert(record, model, values | {"expire": 1000})
    model.has_deadline = True


SOME_VALUES = st.fixed_dictionaries({}, optional=VALUES)
ACTIONS: dict[Callable[[Any, Model, Any], None], st.SearchStrategy[Any]] = {
    update: SOME_VALUES,
    construct: SOME_VALUES,
    upsert: SOME_VALUES,
    create: SOME_VALUES,
    update_if: SOME_VALUES,
    delete_if: st.sampled_from(["", "n"]),
    unset: st.sampled_from([*UNSET, "items_", "scores", "teams"]),
    increment: st.integers(-(2**63), 2**63),
    change: TEXTS,
    write_tag: st.tuples(st.sampled_from([append_tag, extend_tags, edit_tags]), TEXTS),
    write_deeply: st.integers(),
    push: st.integers(),
    note: TEXTS,
    pop: st.none(),
    clear: st.sampled_from(["items_", "scores", "teams"]),
    insert: st.lists(st.integers(), max_size=2),
    score: TEXTS,
    toggle: st.sets(TEXTS, max_size=2),
    delete: st.none(),
    expire: st.none(),
    run_out: st.none(),
    expire_later: st.none(),
    persist: st.none(),
    update_until: SOME_VALUES,
    upsert_until: SOME_VALUES,
}
ACTION = st.one_of([st.tuples(st.just(action), values) for action, values in ACTIONS.items()])
STEPS = st.lists(st.tuples(st.integers(0, 3), ACTION), max_size=12)


def check(store: Backend, record: Handle, model: Model) -> None:
    assert bool(record) == bool(model)
    same(lambda: {name: record.to_dict()[name] for name in UNSET}, model.read)
    for name in UNSET:
        same(partial(record.__getitem__, name), partial(model.field, name))
    for name in children_of(type(record)):
        if model:
            assert record[name].copy() == model.children[name]
    keys = [Key(record.key), *(Key(record.key, name) for name in ("items_", "scores", "teams"))]
    own, *children = store.look(keys)
    assert (own is not None) == bool(model)
    if own is not None:
        for found in (own, *(each for each in children if each)):
            assert (found.ttl_s is not None) == model.has_deadline
    if isinstance(record, Newer):
        same(lambda: record.level, lambda: model.require().get("level", 7))
    assert list(Older.ids()) == (["x"] if model else [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[(2, (note, "")), (0, (delete_if, "")), (2, (unset, "name")), (0, (upsert, {}))])
def test_a_record_does_what_its_model_does(store: Backend, steps: list[tuple[int, tuple[Any, Any]]]) -> None:
    Newer("x", name="").delete()  # and with it a child that an older class left in an example before
    model = Model(lists_children=store.url.partition(":")[0] in ("memory", "json", "sqlite", "shelf"))
    handles = [Older("x"), Newer.ref("x"), Newer("x"), Older.ref("x")]
    for number, (action, value) in steps:
        action(handles[number], model, value)
        check(store, handles[(number + 1) % 4], model)
