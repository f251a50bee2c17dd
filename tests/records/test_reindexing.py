"""``reindex``: an index for records that exist already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from persistent_collections import (
    Backend,
    DecodeError,
    NotUnique,
    Record,
    SchemaChangedError,
    SlowHabitWarning,
    at_least,
    indexed,
    make_record,
    unique,
    use_backend,
)
from persistent_collections.backends import IndexUnbuiltError
from persistent_collections.backends.keys import Key
from persistent_collections.records.reindexing import indexed_of


@pytest.fixture
def store(either_store: Backend) -> Backend:
    return either_store


def declare(**fields: Any) -> Any:
    return make_record("Pet", fields, defaults={"legs": 4})


def plain() -> Any:
    return declare(name=str, legs=int)


def marked() -> Any:
    return declare(name=Annotated[str, unique], legs=Annotated[int, indexed])


def test_an_index_of_a_class_without_records_needs_no_call(store: Backend) -> None:
    cls = marked()
    assert list(cls.find(legs=4)) == []
    cls.create("a", name="Rex")
    assert [pet.id for pet in cls.find(legs=4)] == ["a"]
    assert cls.reindex() == 1
    assert cls.find(name="Rex").one().id == "a"


@pytest.mark.parametrize(
    "use",
    [
        list,
        lambda query: query.first(),
        lambda query: query.one(),
        lambda query: query.count(),
        lambda query: query.token,
        lambda query: list(query.fetch("id")),
    ],
)
def test_the_warning_of_an_index_that_is_not_built_points_at_the_user(use: Callable[[Any], object]) -> None:
    with use_backend("fakeredis:"):
        plain().create("a", name="Rex")
        with pytest.warns(SlowHabitWarning, match="is not built") as caught:
            use(marked().find(legs=4))
    assert {Path(each.filename) for each in caught} == {Path(__file__)}


def test_an_index_that_is_added_to_records_is_built(store: Backend) -> None:
    before = plain()
    before.create("a", name="Rex")
    before.create("b", name="Tweety", legs=2)
    before("c").name = "Old"
    store.mapping(Key("Pet:c")).set_many({"legs": None})
    cls = marked()
    if store.indexing == "indexes":
        with pytest.warns(SlowHabitWarning, match=r"find\(\) reads all records of Pet, .* run Pet.reindex\(\)"):
            assert sorted(pet.id for pet in cls.find(legs=4)) == ["a", "c"]
        with pytest.warns(SlowHabitWarning, match="is not built"):
            assert (cls.find(name="Tweety").one().id, cls.find(legs=2).first().id) == ("b", "b")
        with pytest.raises(SchemaChangedError, match=r"Pet.reindex\(\)"):
            cls.create("d", name="Rex")
        cls.ref("a").legs = 3
        cls.ref("a").legs = 4
    assert cls.reindex(dry_run=True) == 3
    assert cls.reindex() == 3
    assert [pet.id for pet in cls.find(legs=at_least(0))] == ["b", "a", "c"]
    assert cls.find(name="Old").one().id == "c"
    assert store.mapping(Key("Pet:c")).get("legs") == b"4", "its default is stored"
    with pytest.raises(NotUnique):
        cls.create("d", name="Rex")
    cls.create("d", name="Felix")


def test_the_error_names_the_class_as_code_does(store: Backend) -> None:
    plain().create("a", name="Rex")

    class Hound(Record, name="Pet"):
        name: Annotated[str, unique]

    if store.indexing == "indexes":
        with pytest.raises(IndexUnbuiltError, match=r"^Hound has records .*; build it: Hound\.reindex\(\)$"):
            Hound.create("b", name="Bo")
    assert Hound.reindex() == 1


def test_until_an_index_is_built_a_write_is_refused_only_if_it_sets_a_unique_field_too(store: Backend) -> None:
    declare(name=Annotated[str, unique], legs=int).create("a", name="Rex")
    pet = marked().ref("a")
    pet.legs = 3
    pet.name = "Max"
    if store.indexing == "indexes":
        with pytest.raises(SchemaChangedError, match=r"Pet.reindex\(\)"):
            pet.update(name="Felix", legs=2)
    assert (pet.name, pet.legs) == ("Max", 3)


def test_values_that_several_records_have_are_named_and_nothing_changes(store: Backend) -> None:
    before = plain()
    before.create("a", name="Rex")
    before.create("b", name="Rex")
    cls = marked()
    for dry_run in (True, False):
        with pytest.raises(NotUnique, match=r"'Pet:[ab]': its name is that of 'Pet:[ab]'"):
            cls.reindex(dry_run=dry_run)
    cls.ref("a").delete()
    assert cls.reindex() == 1
    assert cls.find(name="Rex").one().id == "b"


def test_entries_that_are_wrong_are_put_right(store: Backend) -> None:
    cls = marked()
    cls.create("a", name="Rex")
    store.mapping(Key("Pet:a")).set_many({"name": store.mapping(Key("Pet:a")).get("name").replace(b"Rex", b"Max")})  # type: ignore[union-attr]
    cls.reindex()
    assert cls.find(name="Max").one().id == "a"
    assert not cls.find(name="Rex")


def test_a_record_that_cannot_be_read_is_named(store: Backend) -> None:
    cls = marked()
    cls.create("a", name="Rex")
    store.mapping(Key("Pet:a")).set_many({"legs": b'"four"'})
    with pytest.raises(DecodeError, match="legs"):
        cls.reindex()


def test_an_index_that_the_class_no_longer_declares_goes(store: Backend) -> None:
    marked().create("a", name="Rex")
    cls = declare(name=str, legs=Annotated[int, indexed])
    assert cls.reindex(dry_run=True) == cls.reindex() == 1
    kept = store.index(indexed_of(cls.__pc__, store).indexing).states() if store.indexing == "indexes" else {}
    assert kept == dict.fromkeys(kept, True)
    assert len(kept) <= 1
    if kept:
        assert plain().reindex() == 1, "all of them go"
        assert store.index(indexed_of(cls.__pc__, store).indexing).states() == {}
    plain().create("b", name="Rex")
    with pytest.raises(NotUnique):
        marked().reindex()
    cls.ref("b").name = "Max"
    assert marked().reindex() == 2
    assert marked().find(name="Rex").one().id == "a"


def test_a_class_without_indexes_has_nothing_to_build(store: Backend) -> None:
    class Plain(Record):
        name: str = ""

    with pytest.raises(TypeError, match="Plain declares no index; mark a field"):
        Plain.reindex()
