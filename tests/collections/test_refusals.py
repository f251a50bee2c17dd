"""What is refused, and that it leaves what is stored as it was."""

from __future__ import annotations

from typing import Any, Final

import pytest

from persistent_collections import (
    Backend,
    DecodeError,
    EncodeError,
    PersistentCollectionsError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    WrongShapeError,
)
from tests.collections.comparing import each
from tests.collections.statements import (
    CHANGING_A_DICT,
    CHANGING_A_LIST,
    CHANGING_A_SET,
    READING_A_DICT,
    READING_A_LIST,
    READING_A_SET,
)


class OneDict(PersistentDict[str, Any], name="One"): ...


class OneList(PersistentList[Any], name="One"): ...


class OneSet(PersistentSet[str], name="One"): ...


NUMBERS: Final = {"i": 0, "j": 1, "n": 2, "s": slice(0, 1), "rank": repr}
TEXTS: Final = {"x": "b", "xs": ["b"], "y": "b", "k": "b", "m": "c", "f": frozenset("b"), "ks": ["b"]}
BUILT_IN: Final[dict[type, Any]] = {
    OneDict: ({"b": 1, "c": 2}, (READING_A_DICT, CHANGING_A_DICT)),
    OneList: (["b", "c"], (READING_A_LIST, CHANGING_A_LIST)),
    OneSet: ({"b", "c"}, (READING_A_SET, CHANGING_A_SET)),
}
WITHOUT_SHAPE: Final = {
    "bool(it)",
    "it.update()",
    "it.intersection_update()",
    "it == ks",
    "k in it.items()",
    "(k, x, x) in it.items()",
}
"""What asks whether anything is there at all, or does not depend on what is."""


def sorts_of(backend: Backend) -> list[tuple[type, type]]:
    """Return the pairs of what is stored and what it is opened as that a store tells apart."""
    pairs = [(stored, opened) for stored in BUILT_IN for opened in BUILT_IN if stored is not opened]
    return [pair for pair in pairs if backend.medium == "bytes" or OneDict in pair]


def test_every_method_on_a_key_of_another_shape_is_refused_and_changes_nothing(backend: Backend) -> None:
    for stored, opened in sorts_of(backend):
        content, _ = BUILT_IN[stored]
        model, tables = BUILT_IN[opened]
        kept = stored("one", content, backend=backend)
        wrong = opened("one", backend=backend)
        for statement in each(*tables):
            names = {**NUMBERS, **TEXTS, "o": model, "e": type(model)(model)}
            try:
                eval(statement, {**names, "it": type(model)(model)})
            except Exception:  # noqa: BLE001 - what a built-in refuses is no case of this
                continue
            if statement.co_filename in WITHOUT_SHAPE:
                continue
            with pytest.raises(WrongShapeError, match="One:one"):
                eval(statement, {**names, "it": wrong})
            assert kept.copy() == content, statement.co_filename
        kept.delete()


def test_a_collection_is_not_filled_in_the_place_of_another_shape(backend: Backend) -> None:
    for stored, opened in sorts_of(backend):
        content, _ = BUILT_IN[stored]
        kept = stored("one", content, backend=backend)
        opened("one", BUILT_IN[opened][0], backend=backend)
        assert kept.copy() == content
        kept.delete()


UNENCODABLE: Final = {
    "list": """
it.append(bad)
it.extend([5, bad])
it += [5, bad]
it.insert(0, bad)
it.insert(1, [bad])
it.lpush(bad)
it.rpush({"a": bad})
it[0] = bad
it[0] = {1: bad}
it[0:1] = [5, bad]
it[:] = [bad]
it[::2] = [5, bad]
it[1].append(bad)
""",
    "dict": """
it["a"] = bad
it["z"] = [bad]
it.update(a=5, z=bad)
it.update([("a", 5), ("z", bad)])
it |= {"a": 5, "z": bad}
it.setdefault("z", bad)
it["b"].append(bad)
it["c"]["d"] = bad
it[bad] = 1
it.update({"a": 5, bad: 1})
it.setdefault(bad, 1)
it.get(bad)
it.pop(bad)
it.increment(bad)
""",
    "set": """
it.add(bad)
it.update([5, bad])
it |= {5, bad}
it ^= {1, bad}
""",
}


class Unknown:
    """Of a class that no codec was taught."""

    def __repr__(self) -> str:
        return "a secret"


@pytest.mark.parametrize("kind", UNENCODABLE)
@pytest.mark.parametrize("bad", [Unknown(), "\ud800"], ids=["class", "surrogate"])
def test_what_cannot_be_stored_is_refused_and_changes_nothing(backend: Backend, kind: str, bad: Any) -> None:
    ours, content = {
        "list": (PersistentList[Any]("x", backend=backend), [1, [2], 3]),
        "dict": (PersistentDict[Any, Any]("x", backend=backend), {"a": 1, "b": [2], "c": {"d": 3}}),
        "set": (PersistentSet[Any]("x", backend=backend), {1, 2}),
    }[kind]
    ours.__init__("x", content, backend=backend)  # type: ignore[misc] # fills the object
    for statement in each(UNENCODABLE[kind]):
        with pytest.raises(EncodeError, match=f"{type(ours).__name__}:x") as raised:
            eval(statement, {"it": ours, "bad": bad})
        assert "secret" not in str(raised.value)
        assert ours.copy() == content, statement.co_filename
    with pytest.raises(EncodeError):
        type(ours)("new", [bad] if kind != "dict" else {bad: 1}, backend=backend)
    assert not type(ours).ref("new", backend=backend)


KEYED: Final = """
it[1] = 5
it[1]
del it[1]
it.get(1)
it.get(1, 2)
it.pop(1)
it.pop(1, 2)
it.setdefault(1)
it.setdefault(1, 2)
it.update({"z": 1, 1: 2})
it |= {"z": 1, 1: 2}
it.increment(1)
it.edit(1).__enter__()
"""


def test_a_key_of_a_type_that_is_not_declared_is_refused_and_changes_nothing(backend: Backend) -> None:
    ours = PersistentDict("d", {"1": "a"}, backend=backend)
    for statement in each(KEYED):
        with pytest.raises(EncodeError, match=r"PersistentDict:d.*type int.*PersistentDict\[int, V\]"):
            eval(statement, {"it": ours})
        assert ours == {"1": "a"}, statement.co_filename


def test_a_value_of_another_type_than_declared_is_refused_and_changes_nothing(backend: Backend) -> None:
    numbers: Any = PersistentList[int]("l", [1], backend=backend)
    for statement in each("it.append('a')\nit[0] = 1.5\nit += [2, None]\nit[:] = ['a']\nit.insert(0, True)"):
        with pytest.raises(EncodeError, match="PersistentList:l"):
            eval(statement, {"it": numbers})
    assert numbers == [1]
    lists: Any = PersistentDict[str, list[int]]("d", {"a": [1]}, backend=backend)
    for statement in each("it['a'].append('x')\nit['a'] = [None]\nit.setdefault('b', 5)\nit['a'] += ['x']"):
        with pytest.raises(EncodeError, match="PersistentDict:d"):
            eval(statement, {"it": lists})
    assert lists == {"a": [1]}


def test_what_was_stored_by_another_declaration_is_refused_by_name_and_stays(backend: Backend) -> None:
    PersistentList("l", ["secret"], backend=backend)
    PersistentDict("d of values", {"name": "secret"}, backend=backend)
    PersistentDict("d of keys", {"secret": "secret"}, backend=backend)
    numbers, mapping, keyed = (
        PersistentList[int]("l", backend=backend),
        PersistentDict[str, int]("d of values", backend=backend),
        PersistentDict[int, str]("d of keys", backend=backend),
    )
    for statement in each("it[0]\nit[:]\nlist(it)\nit.sort()\nit.copy()\nit == []\nit.edit(0).__enter__()"):
        with pytest.raises(DecodeError, match="PersistentList:l") as raised:
            eval(statement, {"it": numbers})
        assert "secret" not in str(raised.value)
    for it in (mapping, keyed):
        for statement in each("it.copy()\nlist(it.items())\nit == {}\nit | {}\nlist(it.values())\n0 in it.values()"):
            with pytest.raises(DecodeError, match="PersistentDict:d") as raised:
                eval(statement, {"it": it})
            assert "secret" not in str(raised.value)
    assert PersistentList("l", backend=backend) == ["secret"]
    assert PersistentDict("d of values", backend=backend) == {"name": "secret"}
    assert PersistentDict("d of keys", backend=backend) == {"secret": "secret"}


def test_every_refusal_is_one_of_this_packages_errors_and_the_built_ins(backend: Backend) -> None:
    for error, built_in in ((EncodeError, TypeError), (DecodeError, ValueError), (WrongShapeError, TypeError)):
        assert issubclass(error, PersistentCollectionsError)
        assert issubclass(error, built_in)


@pytest.mark.parametrize("odd", [1, None, b"a", ("a",), object(), frozenset({"a"}), "\ud800"])
def test_what_no_key_can_be_is_looked_for_in_vain_as_in_a_dict_and_a_set(store: Backend, odd: Any) -> None:
    mapping, members = PersistentDict[str, int]("x", {"a": 1}), PersistentSet("x", {"a"})
    anything: Any = mapping
    keys = anything.keys()
    assert (odd in anything, odd in keys, (odd, 1) in anything.items()) == (False, False, False)
    loose: Any = members
    assert odd not in loose
    loose.discard(odd)
    with pytest.raises(KeyError):
        loose.remove(odd)
    loose -= {odd}
    loose &= {odd, "a"}
    assert members == {"a"}
    with pytest.raises(EncodeError):
        loose ^= {odd}
    assert members == {"a"}


@pytest.mark.parametrize("odd", [["a"], {"a": 1}])
def test_what_cannot_be_hashed_is_looked_for_as_in_a_dict_and_a_set(store: Backend, odd: Any) -> None:
    anything: Any = PersistentDict[str, int]("x", {"a": 1})
    loose: Any = PersistentSet("x", {"a"})
    for look in (
        lambda: odd in anything,
        lambda: (odd, 1) in anything.items(),
        lambda: odd in loose,
        lambda: loose.discard(odd),
    ):
        with pytest.raises(TypeError, match="unhashable"):
            look()
