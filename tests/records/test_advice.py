"""The remedies that queries name when no index answers them, or when their fields cannot be searched."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from datetime import time
from itertools import permutations, product
from typing import Any

import pytest

from persistent_collections import (
    NoIndexError,
    Password,
    PersistentList,
    Record,
    at_least,
    child,
    make_record,
    one_of,
)

CONDITIONS: dict[str, Any] = {"=": 1, "~": at_least(1), "|": one_of(1, 2)}
FIELDS = ("a", "b", "c")


@pytest.mark.parametrize("kinds", list(product(["", *CONDITIONS], repeat=len(FIELDS))), ids="".join)
def test_the_index_that_a_query_is_told_to_declare_answers_it(kinds: tuple[str, ...]) -> None:
    where = {name: CONDITIONS[kind] for name, kind in zip(FIELDS, kinds, strict=True) if kind}
    every = [names for size in range(len(FIELDS) + 1) for names in permutations(FIELDS, size)]
    classes = {names: declared(*names) for names in every if names}
    for order in every:
        query = declared().find(**where, backend="memory:").order_by(*order)
        if not where and not order:
            continue
        with pytest.raises(NoIndexError) as caught:
            query.explain()
        told = str(caught.value)
        if several := re.search(r"indexes=\[(\(.*?\))\]", told):
            names = literal_eval(several[1])
        else:
            single = re.search(r"declare (\w+): Annotated", told)
            names = (single[1],) if single else None
        answering = [each for each in classes if answers(classes[each], where, order)]
        assert names in answering if names else not answering, told


def declared(*names: str) -> Any:
    return make_record("Advised", dict.fromkeys(FIELDS, int), indexes=[names] if names else [])


def answers(cls: Any, where: Mapping[str, Any], order: Sequence[str]) -> bool:
    try:
        return bool(cls.find(**where, backend="memory:").order_by(*order).explain())
    except NoIndexError:
        return False


class Marked(Record):
    tags: set[str]
    secret: Password
    lines: PersistentList[str] = child()
    opens: time | None = None


def test_a_field_that_cannot_be_searched_is_refused_with_a_remedy() -> None:
    for name, line in {
        "tags": r"find\(\) searches by str, .*, not set\[str\]; keep each value to search for in a record of its own",
        "secret": r"find\(\) cannot search by a password; load the record and call verify\(\)",
        "opens": r"not time \| None; compare its values yourself, as in \[each for each in Marked.all\(\) if …\]",
        "lines": r"find\(\) cannot search by a child collection; keep each value .*, which refers to Marked",
    }.items():
        with pytest.raises(TypeError, match=line):
            Marked.find(**{name: "x"})
        with pytest.raises(TypeError, match=line):
            Marked.find().order_by(name).scan()


@pytest.mark.parametrize(
    ("name", "of_all", "of_find"),
    [
        ("order_by", r"find\(\).order_by\('field'\)", None),
        ("limit", r"find\(\).limit\(20\)", None),
        ("count", "count\\(\\) of the class", None),
        ("filter", r"find\(field=value\) takes all", r"find\(field=value\) takes all"),
        ("offset", r"after\(token\) returns the next page", r"after\(token\) returns the next page"),
        ("get", r"load\(id\)", r"find\(field=value\).one\(\)"),
        ("all", "iterate over it", "iterate over it"),
        ("delete", r"delete\(\) of each record", r"delete\(\) of each record"),
    ],
)
def test_a_method_of_other_libraries_says_what_to_write(name: str, of_all: str | None, of_find: str | None) -> None:
    for found, line in ((Marked.all(), of_all), (Marked.find(), of_find)):
        assert hasattr(found, name) == (line is None)
        if line:
            with pytest.raises(AttributeError, match=line):
                getattr(found, name)
