"""Each method of the handles, called once on what is absent, once where it empties, once where something stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from persistent_collections.backends.base import (
    Backend,
    Change,
    Content,
    Delete,
    Key,
    MappingStore,
    MemberStore,
    Replace,
    SequenceStore,
    SetDeadline,
    SetFields,
)
from persistent_collections.testing.backends.data import A, B, C, D

NAME: Final = attrgetter("name")
"""Names a parametrised test after its call."""


class Call(NamedTuple):
    """One call on a key.

    Attributes:
        name: The shape and the method called.
        run: Makes the call on a backend, a key and its kin.
        result: What it returns.
        leaves: What the key holds afterwards.
    """

    name: str
    run: Callable[[Backend, Key, Sequence[Key]], object]
    result: Any = None
    leaves: Content | None = None

    @property
    def shape(self) -> str:
        return self.name.partition(".")[0]


def _mapping(
    name: str, run: Callable[[MappingStore], object], result: Any = None, leaves: Content | None = None
) -> Call:
    return Call(f"mapping.{name}", lambda backend, key, kin: run(backend.mapping(key, kin)), result, leaves)


def _sequence(
    name: str, run: Callable[[SequenceStore], object], result: Any = None, leaves: Content | None = None
) -> Call:
    return Call(f"sequence.{name}", lambda backend, key, kin: run(backend.sequence(key, kin)), result, leaves)


def _members(
    name: str, run: Callable[[MemberStore], object], result: Any = None, leaves: Content | None = None
) -> Call:
    return Call(f"members.{name}", lambda backend, key, kin: run(backend.members(key, kin)), result, leaves)


def _apply(name: str, change: Callable[[Key], Change], result: Any = None, leaves: Content | None = None) -> Call:
    return Call(name, lambda backend, key, kin: backend.apply([change(key)], kin), result, leaves)


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
    _mapping("replace", lambda m: m.replace({"f": A}), None, {"f": A}),
    _mapping("replace_if", lambda m: m.replace_if({}, {"f": A}), True, {"f": A}),
    _mapping("replace_if(other)", lambda m: m.replace_if({"f": A}, {"g": A}), False),
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
    _sequence("delete", lambda s: s.delete(0), False),
    _sequence("delete(expected)", lambda s: s.delete(0, A), False),
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
    _sequence("replace", lambda s: s.replace([A, B]), None, [A, B]),
    _sequence("replace_if", lambda s: s.replace_if([], [A]), True, [A]),
    _sequence("replace_if(other)", lambda s: s.replace_if([A], [B]), False),
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
    _apply("apply.SetFields", lambda k: SetFields(k, {"f": A}), [False], {"f": A}),
    _apply("apply.SetFields(None)", lambda k: SetFields(k, {"f": None}), [False]),
    _apply("apply.Replace(dict)", lambda k: Replace(k, {"f": A}), [False], {"f": A}),
    _apply("apply.Replace(list)", lambda k: Replace(k, [A, B]), [False], [A, B]),
    _apply("apply.Replace(set)", lambda k: Replace(k, {"f"}), [False], {"f"}),
    _apply("apply.Replace(empty)", lambda k: Replace(k, []), [False]),
    _apply("apply.Delete", Delete, [False]),
    _apply("apply.SetDeadline", lambda k: SetDeadline(k, 1000), [False]),
)
"""Calls on a key that is not there."""

STARTS: Final[dict[str, Content]] = {"mapping": {"f": A, "g": B}, "sequence": [A, B, C], "members": {"f", "g"}}
"""What a key of each shape holds before one of ``WRITES``."""

WRITES: Final = (
    _mapping("set_many", lambda m: m.set_many({"f": C, "h": D})),
    _mapping("set_many(None)", lambda m: m.set_many({"f": None, "h": None})),
    _mapping("set_many(instead)", lambda m: m.set_many({"f": None, "g": None, "h": D})),
    _mapping("add", lambda m: m.add("h", D)),
    _mapping("delete", lambda m: m.delete("f")),
    _mapping("pop", lambda m: m.pop("f")),
    _mapping("pop_any", lambda m: m.pop_any()),
    _mapping("replace", lambda m: m.replace({"h": D})),
    _mapping("replace_if", lambda m: m.replace_if({"f": A, "g": B}, {"h": D})),
    _mapping("compare_and_set", lambda m: m.compare_and_set("f", A, D)),
    _mapping("compare_and_set(None)", lambda m: m.compare_and_set("f", A, None)),
    _mapping("increment", lambda m: m.increment("g", 1)),
    _sequence("set", lambda s: s.set(0, D)),
    _sequence("compare_and_set", lambda s: s.compare_and_set(0, A, D)),
    _sequence("push_right", lambda s: s.push_right([D])),
    _sequence("push_left", lambda s: s.push_left([D])),
    _sequence("pop", lambda s: s.pop(1)),
    _sequence("delete", lambda s: s.delete(1)),
    _sequence("delete(expected)", lambda s: s.delete(1, B)),
    _sequence("insert", lambda s: s.insert(1, D)),
    _sequence("splice", lambda s: s.splice(1, 2, [D, D])),
    _sequence("splice(all)", lambda s: s.splice(None, None, [D])),
    _sequence("set_stride", lambda s: s.set_stride(slice(None, None, 2), [D, D])),
    _sequence("delete_stride", lambda s: s.delete_stride(slice(None, None, 2))),
    _sequence("remove", lambda s: s.remove(B)),
    _sequence("repeat", lambda s: s.repeat(2)),
    _sequence("reverse", lambda s: s.reverse()),
    _sequence("replace", lambda s: s.replace([D])),
    _sequence("replace_if", lambda s: s.replace_if([A, B, C], [D])),
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
    _mapping("replace", lambda m: m.replace({})),
    _mapping("replace_if", lambda m: m.replace_if({"f": A}, {}), True),
    _mapping("compare_and_set", lambda m: m.compare_and_set("f", A, None), True),
    _sequence("pop(0)", lambda s: s.pop(0), A),
    _sequence("pop(-1)", lambda s: s.pop(-1), A),
    _sequence("delete", lambda s: s.delete(0), True),
    _sequence("delete(expected)", lambda s: s.delete(-1, A), True),
    _sequence("splice", lambda s: s.splice(None, None, [])),
    _sequence("delete_stride", lambda s: s.delete_stride(slice(None, None, -1))),
    _sequence("remove", lambda s: s.remove(A), True),
    _sequence("repeat(0)", lambda s: s.repeat(0)),
    _sequence("repeat(-1)", lambda s: s.repeat(-1)),
    _sequence("replace", lambda s: s.replace([])),
    _sequence("replace_if", lambda s: s.replace_if([A], []), True),
    _members("remove", lambda m: m.remove({"f", "h"}), 1),
    _members("retain", lambda m: m.retain({"h"})),
    _members("retain(nothing)", lambda m: m.retain(set())),
    _members("toggle", lambda m: m.toggle({"f"})),
    _members("pop_any", lambda m: m.pop_any(), "f"),
    _members("replace", lambda m: m.replace(set())),
    _apply("mapping.apply.SetFields", lambda k: SetFields(k, {"f": None}), [True]),
    _apply("mapping.apply.Replace", lambda k: Replace(k, {}), [True]),
    _apply("mapping.apply.Delete", Delete, [True]),
    _apply("sequence.apply.Replace", lambda k: Replace(k, []), [True]),
    _apply("sequence.apply.Delete", Delete, [True]),
    _apply("members.apply.Replace", lambda k: Replace(k, set[str]()), [True]),
    _apply("members.apply.Delete", Delete, [True]),
)
"""Calls on a key that holds one item, field or member of its shape (``SINGLES``), after which it holds none."""

SINGLES: Final[dict[str, Content]] = {"mapping": {"f": A}, "sequence": [A], "members": {"f"}}
"""What a key of each shape holds before one of ``EMPTYINGS``."""


def put(backend: Backend, key: Key, content: Content, kin: Sequence[Key] = ()) -> None:
    """Make ``key`` hold ``content``, through the handle of its shape."""
    if isinstance(content, dict):
        backend.mapping(key, kin).replace(content)
    elif isinstance(content, list):
        backend.sequence(key, kin).replace(content)
    else:
        backend.members(key, kin).replace(content)
