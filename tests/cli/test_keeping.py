"""``expire`` and ``rename``, and ``delete`` and ``show`` of places within an object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest

from persistent_collections import (
    Backend,
    NotUnique,
    PersistentDict,
    PersistentList,
    Record,
    child,
    classes,
    connect,
    formerly,
    indexed,
    on_delete,
    unique,
)
from persistent_collections.backends.keys import Key
from persistent_collections.catalogue import Known
from persistent_collections.checking import check
from persistent_collections.moving.renaming import rename
from tests.cli.conftest import MODELS, Run
from tests.cli.models import Sailor


class Warden(Record):
    email: Annotated[str, unique]
    rank: Annotated[int, indexed] = 0
    notes: PersistentList[str] = child()


class Oarsman(Record):
    seat: Annotated[int, unique, formerly("place")]


class Ward(Record):
    keeper: Annotated[Warden, on_delete("restrict")]


@pytest.fixture
def store(url: str) -> Backend:
    return connect(url)


HERE = ("--models", __name__)


def make(store: Backend) -> Warden:
    luke = Warden.create("luke", email="luke@example.com", rank=3, expire=1000, backend=store)
    luke.notes.append("first")
    return luke


@pytest.mark.parametrize("store_kind", ["memory", "json", "sqlite", "fakeredis", "server"])
def test_a_renamed_record_keeps_all_that_it_has(store: Backend, url: str, run: Run) -> None:
    luke = make(store)
    assert run("--url", url, *HERE, "rename", "Warden:luke", "Warden:leia") == "renamed Warden:luke to Warden:leia\n"
    leia = Warden.load("leia", backend=store)
    assert (leia.to_dict(), leia.notes[:]) == ({"email": "luke@example.com", "rank": 3}, ["first"])
    for kept in (leia, leia.notes):
        left = kept.ttl()
        assert left is not None
        assert timedelta(seconds=900) < left <= timedelta(seconds=1000)
    assert (bool(luke), bool(luke.notes)) == (False, False)
    assert Warden.find(email="luke@example.com", backend=store).one() == leia
    assert [found.id for found in Warden.find(rank=3, backend=store).scan()] == ["leia"]
    with pytest.raises(NotUnique):
        Warden.create("han", email="luke@example.com", backend=store)


@pytest.mark.parametrize("store_kind", ["json", "fakeredis"])
def test_nothing_is_renamed_where_something_would_be_lost(store: Backend, url: str, run: Run) -> None:
    make(store)
    Warden.create("han", email="han@example.com", backend=store)
    started = ("--url", url, *HERE, "rename")
    assert "'Warden:han' exists already" in run(*started, "Warden:luke", "Warden:han", status=1)
    assert "'Warden:nobody' does not exist" in run(*started, "Warden:nobody", "Warden:new", status=1)
    assert "of another type" in run(*started, "Warden:luke", "Ward:luke", status=2)
    assert "renamed with its record" in run(*started, "Warden:luke:notes", "Warden:x:notes", status=2)
    assert "has that key already" in run(*started, "Warden:luke", "Warden:luke", status=2)
    Ward.create("w", keeper=Warden.ref("luke", backend=store), backend=store)
    assert "'Ward:w' refers to 'Warden:luke' in 'keeper'" in run(*started, "Warden:luke", "Warden:leia", status=1)
    assert sorted(Warden.ids(backend=store)) == ["han", "luke"]
    assert "han@example.com" not in (
        told := run("--url", url, *HERE, "set", "Warden:luke", "email", "han@example.com", status=1)
    )
    assert "'Warden:han'" in told


@pytest.mark.parametrize("store_kind", ["json", "fakeredis"])
def test_a_renamed_record_is_found_by_a_field_that_had_another_name(store: Backend, url: str, run: Run) -> None:
    store.mapping(Key("Oarsman:luke")).set_many({"place": b"3"})
    Oarsman.reindex(backend=store)
    run("--url", url, *HERE, "rename", "Oarsman:luke", "Oarsman:leia")
    assert Oarsman.find(seat=3, backend=store).one() == Oarsman.ref("leia", backend=store)


def test_a_record_with_index_entries_is_renamed_only_with_its_class() -> None:
    with connect("fakeredis://") as store:
        make(store)
        with pytest.raises(ValueError, match=r"Warden has indexes, .*; import the module"):
            rename(store, Key("Warden:luke"), Key("Warden:leia"), _Nothing((), None, None))


class _Nothing(Known):
    def class_of(self, root: str) -> None:
        del root


@pytest.mark.parametrize("store_kind", ["cluster"])
def test_a_cluster_renames_nothing_and_says_so(store: Backend, url: str, run: Run) -> None:
    PersistentDict("a", {"x": 1}, backend=store)
    told = run("--url", url, "rename", "PersistentDict:a", "PersistentDict:b", status=2)
    assert "changes one object per step" in told
    assert PersistentDict("a", backend=store) == {"x": 1}


def test_expire_sets_and_takes_back_a_deadline(store: Backend, url: str, run: Run) -> None:
    Warden.create("luke", email="l@example.com", backend=store).notes.append("first")
    luke = Warden.ref("luke", backend=store)
    started = ("--url", url, *HERE, "expire", "Warden:luke")
    assert run(*started, "7d") == "Warden:luke vanishes in 7 d\n"
    for kept in (luke, luke.notes):
        left = kept.ttl()
        assert left is not None
        assert timedelta(days=6) < left <= timedelta(days=7)
    tomorrow = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    assert run(*started, tomorrow) == "Warden:luke vanishes in 5 h\n"
    assert run(*started, "1.5h") == "Warden:luke vanishes in 1 h 30 min\n"
    assert run(*started, "never") == "Warden:luke has no deadline\n"
    assert luke.ttl() is None
    assert "'soon' is not a deadline; write" in run(*started, "soon", status=2)
    assert "is not a deadline" in run(*started, "2027-01-01T00:00", status=2)
    assert "is not in the future; delete" in run(*started, "2020-01-01T00:00Z", status=2)
    assert "give the key of that: Warden:luke" in run(*started[:-1], "Warden:luke:notes", "7d", status=2)
    assert "nothing is stored under 'Warden:x'" in run(*started[:-1], "Warden:x", "7d", status=1)
    assert luke


def test_delete_leads_into_an_object(store: Backend, url: str, run: Run) -> None:
    luke = make(store)
    luke.notes.append("second")
    started = ("--url", url, *HERE)
    assert run(*started, "show", "Warden:luke", "notes") == 'INDEX  VALUE\n0      "first"\n1      "second"\n'
    assert "'rank' is not a child of 'Warden:luke'" in run(*started, "show", "Warden:luke", "rank", status=2)
    deleting = (*started, "delete", "--yes", "Warden:luke")
    assert run(*deleting, "notes", "0") == "deleted 0 of Warden:luke:notes\n"
    assert luke.notes[:] == ["second"]
    assert "has no '7'" in run(*deleting, "notes", "7", status=1)
    run(*deleting, "rank")
    assert (luke.rank, luke.notes[:]) == (0, ["second"])
    assert "several places" in run(*deleting, "notes", "0", "1", status=2)
    run(*deleting, "notes")
    assert not luke.notes
    assert luke
    PersistentDict("d", {"a": 1, "b": 2}, backend=store)
    run("--url", url, "--codec", "json", "delete", "--yes", "PersistentDict:d", "a")
    assert PersistentDict("d", backend=store) == {"b": 2}


def test_delete_removes_a_member_of_a_set(store: Backend, url: str, run: Run) -> None:
    ann = Sailor("ann", name="Ann", ports={"Oslo", "Riga"}, backend=store)
    run("--url", url, *MODELS, "delete", "--yes", "Sailor:ann", "ports", "Oslo")
    assert ann.ports == {"Riga"}


def test_delete_of_a_record_keeps_the_promise_of_on_delete(store: Backend, url: str, run: Run) -> None:
    luke = make(store)
    ward = Ward.create("w", keeper=luke, backend=store)
    told = run("--url", url, *HERE, "delete", "--yes", "Warden:luke", status=1)
    assert "'Warden:luke' is the keeper of 'Ward:w'" in told
    assert luke
    ward.delete()
    assert run("--url", url, *HERE, "delete", "--yes", "Warden:luke") == "deleted Warden:luke, Warden:luke:notes\n"


def forget(monkeypatch: pytest.MonkeyPatch, *kinds: type[Record]) -> None:
    """Let the commands know none of some classes, as without ``--models``."""
    known = {name: cls for name, cls in classes.every().items() if cls not in kinds}
    monkeypatch.setattr(classes, "every", lambda: known)


@pytest.mark.parametrize("command", [("delete", "Warden:luke", "--yes"), ("rename", "Warden:luke", "Warden:leia")])
def test_without_its_class_a_record_is_not_deleted_or_renamed(
    command: tuple[str, ...], store: Backend, url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    luke = make(store)
    Ward.create("w", keeper=luke, backend=store)
    with monkeypatch.context() as patch:
        forget(patch, Warden, Ward)
        told = run("--url", url, *command, status=2)
    assert "no class of 'Warden:luke' is known, so on_delete of records that refer to it cannot be followed" in told
    assert "--models" in told
    assert "--without-class" in told
    assert (luke.to_dict(), luke.notes[:]) == ({"email": "luke@example.com", "rank": 3}, ["first"])


def test_a_record_deleted_without_its_class_leaves_no_entries(
    store: Backend, url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    luke = make(store)
    with monkeypatch.context() as patch:
        forget(patch, Warden)
        told = run("--url", url, "delete", "Warden:luke", "--yes", "--without-class")
    assert told == "deleted Warden:luke, Warden:luke:notes\n"
    assert (bool(luke), bool(luke.notes)) == (False, False)
    assert Warden.find(rank=3, backend=store).count() == 0
    assert Warden.create("han", email="luke@example.com", backend=store)
    assert list(check(store, classes=[Warden])) == []


def test_a_list_of_an_unknown_class_is_deleted_and_renamed(store: Backend, url: str, run: Run) -> None:
    unknown = store.sequence(Key("Unimported:x"))
    unknown.push_right([b"1"])
    if store.several_roots:
        run("--url", url, "rename", "Unimported:x", "Unimported:y")
        run("--url", url, "rename", "Unimported:y", "Unimported:x")
    run("--url", url, "delete", "Unimported:x", "--yes")
    assert list(store.keys("")) == []


@pytest.mark.parametrize("store_kind", ["memory", "json"])
def test_a_record_without_index_entries_is_renamed_without_its_class(store: Backend, url: str, run: Run) -> None:
    fields = store.mapping(Key("Unimported:x"))
    fields.set_many({"a": b"1"})
    run("--url", url, "rename", "Unimported:x", "Unimported:y", "--without-class")
    assert store.mapping(Key("Unimported:y")).get_all() == {"a": b"1"}
