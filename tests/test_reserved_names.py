"""A user's class shares no names with the package, except one, and that is refused."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from persistent_collections import (
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentObject,
    PersistentSet,
    Record,
    child,
    configure,
    connect,
    make_record,
)
from persistent_collections.collections.lists import ListCore
from persistent_collections.records.core import RecordCore, RecordInfo

KINDS = (PersistentDict, PersistentList, PersistentSet, Record)

INTERNAL = sorted(
    {f"_{name}" for kind in (RecordCore, ListCore, RecordInfo) for name in dir(kind) if not name.startswith("_")}
    | {"_declare", "_encoded", "_fields", "_handle", "_module", "_parameters", "_read_all", "_settle", "_unbound"}
)
"""Names that the package uses, or has used, for what it keeps of classes and objects."""


FORMS: dict[str, Any] = {
    "method": lambda *_: "blue",
    "attribute": "blue",
    "property": property(lambda _: "blue"),
}


def _all_of_them(form: object) -> dict[str, Any]:
    return {**dict.fromkeys(INTERNAL, form), "__module__": __name__}


def _require_blue(made: object) -> None:
    found = [getattr(made, name) for name in INTERNAL]
    assert {each() if callable(each) else each for each in found} == {"blue"}


def _use_record(cls: Any, *, set_on_objects: bool = False) -> None:
    store = connect("memory:")
    made = cls("a", title="one", tags=["x"], backend=store)
    if set_on_objects:
        for name in INTERNAL:
            setattr(made, name, "blue")
    made.title = "two"
    made.tags.append("y")
    assert (cls.load("a", backend=store).to_dict(), made.tags[:]) == ({"title": "two"}, ["x", "y"])
    assert pickle.loads(pickle.dumps(cls.ref("a"))).key == made.key == f"{cls.type_name}:a"
    with pytest.raises(ObjectNotFound):
        _ = cls.ref("typo", backend=store).title
    assert cls.create("b", title="new", backend=store).title == "new"
    assert sorted(row["title"] for row in cls.all(backend=store).fetch("title")) == ["new", "two"]
    _require_blue(made)
    assert made.delete()
    assert list(cls.ids(backend=store)) == ["b"]


@pytest.mark.parametrize("form", FORMS)
def test_a_record_class_may_define_any_name_with_an_underscore(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {**_all_of_them(FORMS[form]), "title": "", "tags": child()}
    body["__annotations__"] = {"title": str, "tags": PersistentList[str]}
    cls = type("Mine", (Record,), body)
    monkeypatch.setitem(globals(), "Mine", cls)  # where a pickle finds it
    _use_record(cls)


def test_a_record_may_be_given_any_attribute_with_an_underscore(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = make_record("Mine", {"title": str, "tags": PersistentList[str]})
    cls.__qualname__ = "Mine"
    monkeypatch.setitem(globals(), "Mine", cls)
    _use_record(cls, set_on_objects=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("kind", "content"), [(PersistentDict, {"a": 1}), (PersistentList, ["a"]), (PersistentSet, {"a"})]
)
def test_a_collection_class_may_define_any_name_with_an_underscore(kind: Any, content: Any, form: str) -> None:
    cls: Any = type(f"My{kind.__name__}", (kind,), _all_of_them(FORMS[form]))
    made = cls("x", content, backend=connect("memory:"))
    assert made == content
    _require_blue(made)
    assert ("a" in made, len(made), list(made)) == (True, 1, ["a"])
    made.clear()
    assert not made


@pytest.mark.parametrize("kind", KINDS)
def test_the_one_reserved_name_is_refused_in_a_class_and_on_an_object(kind: type[PersistentObject]) -> None:
    with pytest.raises(TypeError, match=r"^Wrong: '__pc__' is the name under which persistent_collections keeps"):
        type("Wrong", (kind,), {"__pc__": 1})
    cls: Any = type("Right", (kind,), {"__module__": __name__})
    made = cls.ref("x")
    with pytest.raises(TypeError, match=r"^Right: '__pc__' is the name"):
        made.__pc__ = 1
    assert made.key == "Right:x"


def test_an_init_may_set_attributes_of_its_own_before_it_calls_that_of_the_base() -> None:
    class Labelled(Record):
        title: str = ""

        def __init__(self, id: str, label: str) -> None:
            self._label = label
            super().__init__(id)
            self.title = "x"

    configure("memory:")
    made = Labelled("a", "blue")
    assert (made._label, made.title) == ("blue", "x")


def test_an_object_used_before_its_init_ran_says_so() -> None:
    class Early(Record):
        title: str = ""

        def __init__(self, title: str) -> None:  # pyright: ignore[reportMissingSuperCall] # what this test is about
            self.title = title

    with pytest.raises(AttributeError, match=r"Early: call super\(\).__init__\(id\) before the object is used"):
        Early("x")
