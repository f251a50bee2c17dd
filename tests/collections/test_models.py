"""Random statements on objects in a store, by two handles in turn, compared with the built-ins."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from copy import deepcopy
from math import inf
from types import CodeType
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from persistent_collections import Backend, PersistentDict, PersistentList, PersistentSet, use_backend
from tests.collections.comparing import assert_same, compiled, folded, refill, shown, unaliased

QUICK: Final = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
LONG: Final = settings(QUICK, max_examples=400, stateful_step_count=50)
WIDE: Final = 25
"""How many items an object may come to before it is emptied."""

# it: the object; o: another one of its kind; i, j: indexes; n: a number; s: a slice; x: a value; xs: values;
# y: a value that may be of another type than is declared.
READING_A_LIST: Final = """
it[i]
it[s]
y in it
it.index(y)
it.index(y, i)
it.index(y, i, j)
it.count(y)
len(it)
bool(it)
list(it)
list(reversed(it))
it.copy()
it + xs
xs + it
it + o
it * n
n * it
it == xs
it == o
it != o
it < xs
it <= o
it > xs
it >= o
it == it[:]
it + tuple(xs)
sorted(it, key=repr)
min(it, key=repr)
next(iter(it))
it.index(y, None)
it["a"]
it[1.0]
"""
CHANGING_A_LIST: Final = """
it[i] = x
it[s] = xs
it[s] = tuple(xs)
it[s] = (v for v in xs)
it[s] = it
it[s] = o
it[s] = n
it["a"] = x
del it[i]
del it[s]
it.append(x)
it.extend(xs)
it.extend(it)
it.extend(o)
it.extend(iter(xs))
it.extend(n)
it.insert(i, x)
it.insert(2**80, x)
it.pop()
it.pop(i)
it.pop(0)
it.pop(2**80)
it.remove(y)
it.reverse()
it.sort()
it.sort(key=repr)
it.sort(key=repr, reverse=True)
it.sort(key=lambda v: str(type(v)), reverse=n > 0)
it += xs
it += it
it += o
it *= n
it *= x
it.clear()
it[i], it[j] = it[j], it[i]
it[i] = it[i]
for v in it: len(it) > 9 or it.append(v)
for v in it: it.remove(v)
for v in reversed(it): it.pop()
for v in it: len(it) > 9 or it.insert(0, v)
"""
NESTED_IN_A_LIST: Final = """
it[i].append(x)
it[i] += [x]
it[i][0].append(x)
it[i]["k"] = x
it[i]["k"].append(x)
it[i].clear()
it[i].add(1)
it[i] |= {1}
for v in it: isinstance(v, list) and v.append(x)
for v in reversed(it): isinstance(v, list) and v.insert(0, x)
v = it[i]; it[i] = x; it[i] = v
v = it[i]; del it[i]; it.insert(i, v)
it.append(it[i])
"""

# k, m: keys; e: items.
READING_A_DICT: Final = """
it[k]
k in it
it.get(k)
it.get(k, x)
len(it)
bool(it)
sorted(it, key=repr)
sorted(it.values(), key=repr)
sorted(it.items(), key=repr)
dict(it)
{**it} == it
it | e
e | it
it | o
o | it
it == e
it != o
it == o
it == it.copy()
it < e
it | xs
it.keys() & e
it.keys() | e.keys()
e.keys() - it.keys()
it.keys() ^ o.keys()
it.keys() == o.keys()
it.keys() <= e.keys()
it.keys() > e.keys()
it.keys() == set(it)
it.keys().isdisjoint(e)
k in it.keys()
(k, x) in it.items()
(k, x, x) in it.items()
k in it.items()
x in it.values()
it.items() == o.items()
it.items() == it.copy().items()
it.items() & o.items()
it.items().isdisjoint(e.items())
len(it.items())
"""
CHANGING_A_DICT: Final = """
it[k] = x
it[[]] = x
del it[k]
it.setdefault(k, x)
it.setdefault(k)
it.pop(k)
it.pop(k, x)
it.update(e)
it.update(list(e.items()))
it.update(o)
it.update(it)
it.update(o.items())
it.update(a=x)
it.update(e, b=x)
it.update(self=x)
it.update()
it.update(n)
it.update(xs)
it |= e
it |= e.items()
it |= o
it |= n
it.clear()
it[k], it[m] = it[m], it[k]
it[k] = it[m]
for k in list(it): it.pop(k)
"""
NESTED_IN_A_DICT: Final = """
it[k].append(x)
it[k] += [x]
it[k] |= {"k": x}
it[k]["k"] = x
it[k]["k"].append(x)
it[k].setdefault("k", []).append(x)
it[k].clear()
it[k].add(2)
it.setdefault(k, []).append(x)
it.get(k).append(x)
it[k][0].append(x)
it[k] = it[k]
v = it[k]; it[k] = x; it[k] = v
v = it[k]; del it[k]; it[k] = v
for v in it.values(): isinstance(v, list) and v.append(x)
for k, v in it.items(): isinstance(v, dict) and v.update(k=x)
"""
ORDERED_DICT: Final = """
list(it)
list(it.items())
list(it.values())
list(reversed(it))
list(reversed(it.keys()))
list(reversed(it.values()))
list(reversed(it.items()))
it.popitem()
next(iter(it))
for v in reversed(it.values()): isinstance(v, list) and v.append(x)
"""

# k: a member; e: a set of some; f: a frozenset; ks: a list.
READING_A_SET: Final = """
k in it
[] in it
len(it)
bool(it)
set(it)
it.copy()
it.union(e, ks)
it.union()
it.union(o)
it.intersection(e, ks)
it.intersection(o)
it.intersection(o, o)
it.difference(e, ks)
it.difference(o)
it.difference(o, e)
it.symmetric_difference(ks)
it.symmetric_difference(o)
it | f
f | it
it | o
it & e
e & it
it & o
it - e
e - it
o - it
it ^ f
f ^ it
it ^ o
it.issubset(e)
it.issuperset(ks)
it.issubset(o)
it.isdisjoint(ks)
it <= e
it < o
it >= f
it > e
it == e
it == f
it != o
e == it
e <= it
it == ks
it | ks
it - ks
it < ks
it <= dict.fromkeys(ks).keys()
it & dict.fromkeys(ks).keys()
"""
CHANGING_A_SET: Final = """
it.add(k)
it.add([])
it.discard(k)
it.remove(k)
it.update(e, ks)
it.update()
it.update(o)
it.update(it)
it.update(1)
it.intersection_update(e, ks)
it.intersection_update(o)
it.intersection_update()
it.difference_update(e, ks)
it.difference_update(o)
it.difference_update(it)
it.symmetric_difference_update(ks)
it.symmetric_difference_update(o)
it.symmetric_difference_update(it)
it |= e
it &= o
it -= f
it ^= e
it |= it
it &= it
it -= it
it ^= it
it |= ks
it.clear()
"""
SETS_IN_A_SET: Final = """
set(f) in it
it.discard(set(f))
it.remove(set(f))
"""

FLAT: Final = [None, False, True, 0, 1, -1, 1.0, 0.5, -0.0, inf, 2**70, "", "a", "1", "é\x00😀", b"\xff\x00", (1, "a")]
NESTED: Final = [[], [1], [[0], "a"], {}, {"k": [1]}, {"k": {"k": 1}}, {1, 2}, ([1], 2), {1: [2]}, {"$a": 1}]
KEYS: Final = [
    0,
    1,
    1.0,
    True,
    2.5,
    "1",
    "",
    "a",
    "é\x00😀",
    None,
    b"1",
    (1, 2),
    (1.0, 2),
    frozenset({1, 2}),
    -1,
    2**70,
]
INTS: Final = [0, 1, 2, -1, 2**70]
TEXTS: Final = ["", "a", "b", "1", "é\x00😀"]
FOLDED: Final = {"k", "m", "e", "f", "ks"}
"""The names of keys and of what holds keys: an equal one may come back."""

BOUNDS: Final = st.none() | st.integers(-5, 5)
INDEXES: Final = {"i": st.integers(-4, 4), "j": st.integers(-4, 4), "n": st.integers(-1, 3)}
SLICES: Final = st.builds(slice, BOUNDS, BOUNDS, st.sampled_from([None, 1, -1, 2, -2, 3, 0, 2**70]))


def one_of(pool: Sequence[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(pool).map(deepcopy)


def list_names(pool: Sequence[Any]) -> dict[str, st.SearchStrategy[Any]]:
    drawn = {"x": one_of(pool), "xs": st.lists(one_of(pool), max_size=4), "y": one_of([*pool, *FLAT, *NESTED])}
    return {**INDEXES, "s": SLICES, **drawn}


def dict_names(pool: Sequence[Any]) -> dict[str, st.SearchStrategy[Any]]:
    keys, values = one_of(pool), one_of([*FLAT, *NESTED])
    drawn = {"x": values, "xs": st.lists(values, max_size=2), "e": st.dictionaries(keys, values, max_size=4)}
    return {"k": keys, "m": keys, "n": st.integers(-1, 3), **drawn}


def set_names(pool: Sequence[Any]) -> dict[str, st.SearchStrategy[Any]]:
    keys = one_of(pool)
    return {"k": keys, "e": st.sets(keys), "f": st.frozensets(keys, max_size=3), "ks": st.lists(keys, max_size=4)}


class Kind(NamedTuple):
    """What is compared.

    Attributes:
        ours: The class of the object.
        built_in: What it is like.
        names: What each name in a statement may stand for.
        other: What the other object holds.
        tables: The statements.
    """

    ours: Any
    built_in: type[Any]
    names: dict[str, st.SearchStrategy[Any]]
    other: Iterable[Any]
    tables: Sequence[str]


LISTS: Final = (READING_A_LIST, CHANGING_A_LIST, NESTED_IN_A_LIST)
DICTS: Final = (READING_A_DICT, CHANGING_A_DICT, NESTED_IN_A_DICT)
SETS: Final = (READING_A_SET, CHANGING_A_SET)
KINDS: Final = {
    "list": Kind(PersistentList, list, list_names([*FLAT, *NESTED]), [*FLAT[::5], *NESTED[::5]], LISTS),
    "list[int]": Kind(PersistentList[int], list, list_names(INTS), INTS[:2], LISTS),
    "list[str]": Kind(PersistentList[str], list, list_names(TEXTS), TEXTS[:2], LISTS),
    "dict": Kind(PersistentDict, dict, dict_names(TEXTS), zip(TEXTS[:3], NESTED, strict=False), DICTS),
    "dict[Any]": Kind(PersistentDict[Any, Any], dict, dict_names(KEYS), zip(KEYS[::3], NESTED, strict=False), DICTS),
    "set": Kind(PersistentSet, set, set_names(TEXTS), TEXTS[:3], SETS),
    "set[Any]": Kind(PersistentSet[Any], set, set_names(KEYS), KEYS[::3], (*SETS, SETS_IN_A_SET)),
}


def shown_folded(value: Any) -> Hashable:
    return shown(folded(value))


class Comparison(RuleBasedStateMachine):
    """Compares an object, reached by two handles, with the built-in it is like."""

    backend: Backend
    kind: Kind

    def __init__(self) -> None:
        super().__init__()
        backend, kind = self.backend, self.kind
        self.model, self.other_model = kind.built_in(), folded(kind.built_in(kind.other))
        first, self.other = kind.ours(backend=backend), kind.ours(None, self.other_model, backend=backend)
        with use_backend(backend):
            self.handles = [first, kind.ours.ref(first.id)]
        self.ordered = kind.built_in is dict and backend.ordered
        tables = [*kind.tables, ORDERED_DICT] if self.ordered else kind.tables
        self.statements = st.sampled_from([compiled(line) for table in tables for line in table.strip().splitlines()])
        self.names = st.fixed_dictionaries(kind.names)

    @rule(which=st.booleans(), data=st.data())
    def do(self, which: bool, data: st.DataObject) -> None:
        statement, names = data.draw(self.statements), data.draw(self.names)
        for_model = {name: folded(value) if name in FOLDED else value for name, value in deepcopy(names).items()}
        ours = {**names, "it": self.handles[which], "o": self.other}
        model = {**for_model, "it": self.model, "o": self.other_model}
        assert_same(statement, ours, model, shown if isinstance(self.model, list) else shown_folded)
        self.compare(self.handles[not which], statement)

    @precondition(lambda self: not isinstance(self.model, list))
    @rule(which=st.booleans())
    def take_any(self, which: bool) -> None:
        take = self.handles[which].popitem if isinstance(self.model, dict) else self.handles[which].pop
        if not self.model:
            with pytest.raises(KeyError, match="empty"):
                take()
            return
        taken = take()
        assert shown(taken) in map(shown, self.model.items() if isinstance(self.model, dict) else self.model)
        if isinstance(self.model, dict):
            del self.model[taken[0]]
        else:
            self.model.remove(taken)
        self.compare(self.handles[not which], compiled("it.pop()"))

    @precondition(lambda self: len(self.model) > WIDE)
    @rule(which=st.booleans())
    def empty(self, which: bool) -> None:
        assert self.handles[which].delete()
        self.model.clear()

    def compare(self, reader: Any, statement: CodeType) -> None:
        """Check that the other handle sees all that the built-in holds."""
        refill(self.model, unaliased(self.model))
        content = reader.copy()
        assert shown(content) == shown(self.model), statement.co_filename
        assert not self.ordered or list(map(shown, content)) == list(map(shown, self.model)), statement.co_filename
        assert bool(reader) == bool(self.model), "an emptied one does not exist, and no other"


def compare(backend: Backend, kind: Kind, settings: settings) -> None:
    run_state_machine_as_test(type("Comparison", (Comparison,), {"backend": backend, "kind": kind}), settings=settings)


@pytest.mark.parametrize("name", KINDS)
def test_two_handles_in_turn_do_what_a_built_in_does(backend: Backend, name: str) -> None:
    compare(backend, KINDS[name], QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_many_statements_do_what_they_do_on_a_built_in(backend: Backend, name: str) -> None:
    compare(backend, KINDS[name], LONG)
