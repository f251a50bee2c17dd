"""Calls of each method of the handles: on an absent key, on a key that it empties, and on one that keeps content."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Change, Delete, Make, Replace, SetDeadline, SetFields
from persistent_collections.backends.handles import MappingStore, MemberStore, SequenceStore
from persistent_collections.backends.keys import Content, Key
from persistent_collections.testing.backends.data import A, B, C, D

NAME: Final = attrgetter("name")
"""Names a parametrised test after its call."""


class Call(NamedTuple):
    """One call on a key.

    Attributes:
        name: The shape and the method called.
        run: Makes the call on a backend and a key.
        result: Its return value.
        leaves: The content of the key afterwards.
        method: Makes the call on a handle, if it is a method of handles.
    """

    name: str
    run: Callable[[Backend, Key], object]
    result: Any = None
    leaves: Content | None = None
    method: Callable[[Any], object] | None = None

    def run_as_record(self, backend: Backend, key: Key) -> object:
        """Make the call on the own mapping of the record at ``key``."""
        assert self.method is not None
        return self.method(backend.mapping(key, is_record=True))

    @property
    def shape(self) -> str:
        return self.name.partition(".")[0]


def _mapping(
    name: str, run: Callable[[MappingStore], object], result: Any = None, leaves: Content | None = None
) -> Call:
    return Call(f"mapping.{name}", lambda backend, key: run(backend.mapping(key)), result, leaves, run)


def _sequence(
    name: str, run: Callable[[SequenceStore], object], result: Any = None, leaves: Content | None = None
) -> Call:
    return Call(f"sequence.{name}", lambda backend, key: run(backend.sequence(key)), result, leaves, run)


def _members(
    name: str, run: Callable[[MemberStore], object], result: Any = None, leaves: Content | None = None
) -> Call:
    return Call(f"members.{name}", lambda backend, key: run(backend.members(key)), result, leaves, run)


def _commit(name: str, change: Callable[[Key], Change], result: Any = None, leaves: Content | None = None) -> Call:
    return Call(name, lambda backend, key: backend.commit([], [change(key)]), result, leaves)


ON_ABSENT: Final = (
    _mapping("get", lambda m: m.get("f")),
    _mapping("get_many", lambda m: m.get_many(["f", "g"]), [None, None]),
    _mapping("get_all", lambda m: m.get_all(), {}),
    _mapping("set_many", lambda m: m.set_many({"f": A, "g": B}), None, {"f": A, "g": B}),
    _mapping("set_many(None)", lambda m: m.set_many({"f": None})),
    _mapping("add", lambda m: m.add("f", A), None, {"f": A}),
    _mapping("delete", lambda m: m.delete("f"), False),
    _mapping("pop", lambda m: m.pop("f")),
    _mapping("pop_any", lambda m: m.pop_any()),
    _mapping("contains", lambda m: m.contains("f"), False),
    _mapping("size", lambda m: m.size(), 0),
    _mapping("replace", lambda m: m.replace({"f": A}), True, {"f": A}),
    _mapping("replace(expected)", lambda m: m.replace({"f": A}, {}), True, {"f": A}),
    _mapping("replace(expected(other))", lambda m: m.replace({"g": A}, {"f": A}), False),
    _mapping("compare_and_set", lambda m: m.compare_and_set("f", None, A), True, {"f": A}),
    _mapping("compare_and_set(other)", lambda m: m.compare_and_set("f", A, B), False),
    _mapping("compare_and_set(None)", lambda m: m.compare_and_set("f", None, None), True),
    _mapping("increment", lambda m: m.increment("f", 2), 2, {"f": b"2"}),
    _mapping("increment(initial)", lambda m: m.increment("f", -2, 40), 38, {"f": b"38"}),
    _mapping("pages", lambda m: list(chain.from_iterable(m.pages())), []),
    _sequence("size", lambda s: s.size(), 0),
    _sequence("get", lambda s: s.get(0)),
    _sequence("get_slice", lambda s: s.get_slice(slice(None)), []),
    _sequence("set", lambda s: s.set(0, A), False),
    _sequence("compare_and_set", lambda s: s.compare_and_set(0, A, B), False),
    _sequence("push_right", lambda s: s.push_right([A, B]), None, [A, B]),
    _sequence("push_left", lambda s: s.push_left([A, B]), None, [A, B]),
    _sequence("pop", lambda s: s.pop(-1)),
    _sequence("pop(expected)", lambda s: s.pop(0, A)),
    _sequence("insert", lambda s: s.insert(3, A), None, [A]),
    _sequence("splice", lambda s: s.splice(1, 2, [A, B]), None, [A, B]),
    _sequence("splice(empty)", lambda s: s.splice(None, None, [])),
    _sequence("set_stride", lambda s: s.set_stride(slice(None, None, 2), [A]), 0),
    _sequence("delete_stride", lambda s: s.delete_stride(slice(None, None, 2))),
    _sequence("find", lambda s: s.find(A)),
    _sequence("count", lambda s: s.count(A), 0),
    _sequence("remove", lambda s: s.remove(A), False),
    _sequence("repeat", lambda s: s.repeat(3)),
    _sequence("reverse", lambda s: s.reverse()),
    _sequence("replace", lambda s: s.replace([A, B]), True, [A, B]),
    _sequence("replace(expected)", lambda s: s.replace([A], []), True, [A]),
    _sequence("replace(expected(other))", lambda s: s.replace([B], [A]), False),
    _members("contains", lambda m: m.contains("f"), False),
    _members("size", lambda m: m.size(), 0),
    _members("get_all", lambda m: m.get_all(), set()),
    _members("add", lambda m: m.add({"f", "g"}), 2, {"f", "g"}),
    _members("remove", lambda m: m.remove({"f"}), 0),
    _members("retain", lambda m: m.retain({"f"})),
    _members("toggle", lambda m: m.toggle({"f"}), None, {"f"}),
    _members("pop_any", lambda m: m.pop_any()),
    _members("replace", lambda m: m.replace({"f"}), None, {"f"}),
    _members("combine", lambda m: m.combine("union", []), set()),
    _members("pages", lambda m: list(chain.from_iterable(m.pages())), []),
    _commit("commit.SetFields", lambda k: SetFields(k, {"f": A}), True, {"f": A}),
    _commit("commit.SetFields(None)", lambda k: SetFields(k, {"f": None}), True),
    _commit("commit.Replace(dict)", lambda k: Replace(k, {"f": A}), True, {"f": A}),
    _commit("commit.Replace(list)", lambda k: Replace(k, [A, B]), True, [A, B]),
    _commit("commit.Replace(set)", lambda k: Replace(k, {"f"}), True, {"f"}),
    _commit("commit.Replace(empty)", lambda k: Replace(k, []), True),
    _commit("commit.Delete", Delete, True),
    _commit("commit.SetDeadline", lambda k: SetDeadline(k, 1000), True),
    _commit("commit.Make", lambda k: Make(k, {"f": A}), True, {"f": A}),
)
"""Calls on an absent key."""

STARTS: Final[dict[str, Content]] = {"mapping": {"f": A, "g": B}, "sequence": [A, B, C], "members": {"f", "g"}}
"""The content of a key of each shape before one of ``WRITES``."""

WRITES: Final = (
    _mapping("set_many", lambda m: m.set_many({"f": C, "h": D})),
    _mapping("set_many(None)", lambda m: m.set_many({"f": None, "h": None})),
    _mapping("set_many(instead)", lambda m: m.set_many({"f": None, "g": None, "h": D})),
    _mapping("add", lambda m: m.add("h", D)),
    _mapping("delete", lambda m: m.delete("f")),
    _mapping("pop", lambda m: m.pop("f")),
    _mapping("pop_any", lambda m: m.pop_any()),
    _mapping("replace", lambda m: m.replace({"h": D})),
    _mapping("replace(expected)", lambda m: m.replace({"h": D}, {"f": A, "g": B})),
    _mapping("compare_and_set", lambda m: m.compare_and_set("f", A, D)),
    _mapping("compare_and_set(None)", lambda m: m.compare_and_set("f", A, None)),
    _mapping("increment", lambda m: m.increment("g", 1)),
    _sequence("set", lambda s: s.set(0, D)),
    _sequence("compare_and_set", lambda s: s.compare_and_set(0, A, D)),
    _sequence("push_right", lambda s: s.push_right([D])),
    _sequence("push_left", lambda s: s.push_left([D])),
    _sequence("pop", lambda s: s.pop(1)),
    _sequence("pop(expected)", lambda s: s.pop(1, B)),
    _sequence("insert", lambda s: s.insert(1, D)),
    _sequence("splice", lambda s: s.splice(1, 2, [D, D])),
    _sequence("splice(all)", lambda s: s.splice(None, None, [D])),
    _sequence("set_stride", lambda s: s.set_stride(slice(None, None, 2), [D, D])),
    _sequence("delete_stride", lambda s: s.delete_stride(slice(None, None, 2))),
    _sequence("remove", lambda s: s.remove(B)),
    _sequence("repeat", lambda s: s.repeat(2)),
    _sequence("reverse", lambda s: s.reverse()),
    _sequence("replace", lambda s: s.replace([D])),
    _sequence("replace(expected)", lambda s: s.replace([D], [A, B, C])),
    _members("add", lambda m: m.add({"h"})),
    _members("remove", lambda m: m.remove({"f"})),
    _members("retain", lambda m: m.retain({"f"})),
    _members("toggle", lambda m: m.toggle({"f", "h"})),
    _members("pop_any", lambda m: m.pop_any()),
    _members("replace", lambda m: m.replace({"h"})),
)
"""Calls on a key that holds its shape of ``STARTS``, after which it still holds something."""

EMPTYINGS: Final = (
    _mapping("set_many(None)", lambda m: m.set_many({"f": None, "h": None})),
    _mapping("delete", lambda m: m.delete("f"), True),
    _mapping("pop", lambda m: m.pop("f"), A),
    _mapping("pop_any", lambda m: m.pop_any(), ("f", A)),
    _mapping("replace", lambda m: m.replace({}), True),
    _mapping("replace(expected)", lambda m: m.replace({}, {"f": A}), True),
    _mapping("compare_and_set", lambda m: m.compare_and_set("f", A, None), True),
    _sequence("pop(0)", lambda s: s.pop(0), A),
    _sequence("pop(-1)", lambda s: s.pop(-1), A),
    _sequence("pop(expected)", lambda s: s.pop(-1, A), A),
    _sequence("splice", lambda s: s.splice(None, None, [])),
    _sequence("delete_stride", lambda s: s.delete_stride(slice(None, None, -1))),
    _sequence("remove", lambda s: s.remove(A), True),
    _sequence("repeat(0)", lambda s: s.repeat(0)),
    _sequence("repeat(-1)", lambda s: s.repeat(-1)),
    _sequence("replace", lambda s: s.replace([]), True),
    _sequence("replace(expected)", lambda s: s.replace([], [A]), True),
    _members("remove", lambda m: m.remove({"f", "h"}), 1),
    _members("retain", lambda m: m.retain({"h"})),
    _members("retain(nothing)", lambda m: m.retain(set())),
    _members("toggle", lambda m: m.toggle({"f"})),
    _members("pop_any", lambda m: m.pop_any(), "f"),
    _members("replace", lambda m: m.replace(set())),
    _commit("mapping.commit.SetFields", lambda k: SetFields(k, {"f": None}), True),
    _commit("mapping.commit.Replace", lambda k: Replace(k, {}), True),
    _commit("mapping.commit.Delete", Delete, True),
    _commit("sequence.commit.Replace", lambda k: Replace(k, []), True),
    _commit("sequence.commit.Delete", Delete, True),
    _commit("members.commit.Replace", lambda k: Replace(k, set[str]()), True),
    _commit("members.commit.Delete", Delete, True),
)
"""Calls on a key that holds one item, field or member of its shape (``SINGLES``), after which it holds none."""

SINGLES: Final[dict[str, Content]] = {"mapping": {"f": A}, "sequence": [A], "members": {"f"}}
"""The content of a key of each shape before one of ``EMPTYINGS``."""
