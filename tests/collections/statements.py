"""Statements on lists, dicts and sets, and strategies for what their names stand for."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from math import inf
from typing import Any, Final

from hypothesis import strategies as st

Names = dict[str, st.SearchStrategy[Any]]

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
sorted(it, key=rank)
min(it, key=rank)
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
it.sort(key=rank)
it.sort(key=rank, reverse=True)
it.sort(key=lambda v: len(rank(v)) % 3, reverse=n > 0)
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
sorted(it, key=rank)
sorted(it.values(), key=rank)
sorted(it.items(), key=rank)
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
ANY_KEYS: Final = """
it.update(xs)
True in it
it.pop(1.0)
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


def list_names(pool: Sequence[Any]) -> Names:
    drawn = {"x": one_of(pool), "xs": st.lists(one_of(pool), max_size=4), "y": one_of([*pool, *FLAT, *NESTED])}
    return {**INDEXES, "s": SLICES, **drawn}


def dict_names(pool: Sequence[Any]) -> Names:
    keys, values = one_of(pool), one_of([*FLAT, *NESTED])
    drawn = {"x": values, "xs": st.lists(values, max_size=2), "e": st.dictionaries(keys, values, max_size=4)}
    return {"k": keys, "m": keys, "n": st.integers(-1, 3), **drawn}


def set_names(pool: Sequence[Any]) -> Names:
    keys = one_of(pool)
    return {"k": keys, "e": st.sets(keys), "f": st.frozensets(keys, max_size=3), "ks": st.lists(keys, max_size=4)}
