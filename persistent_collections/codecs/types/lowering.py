"""Convert values to the native types of a format and back: the walk that all codecs share.

:func:`lower` and :func:`lift` do it for plain JSON values: a registered type is a one-key object ``{"$tag": x}``, a
user's one-key dict whose key starts with ``$`` gets one more ``$``, and a dict with other keys than ``str`` is
``{"$dict": [[key, value], …]}``.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Set as AbstractSet
from itertools import chain
from math import isfinite
from typing import Any, Final, TypeAlias

from persistent_collections.codecs.base import References
from persistent_collections.codecs.types.registry import builtin_type, tagged, untagged
from persistent_collections.codecs.types.standard import require_spread
from persistent_collections.errors import DecodeError, EncodeError

Path: TypeAlias = tuple[object, ...]

MAX_DEPTH: Final = 100
"""The deepest nesting that is written and read, small enough to be read from any call depth."""

MAX_DIGITS: Final = 4300
"""The longest decimal integer that is written: Python's default limit for reading."""

KEYS: Final = object()
"""The step of a path into the keys of a dict."""

to_json: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode
"""The settings for writing JSON."""

_HOLDERS: Final = frozenset({list, dict, tuple, set, frozenset})
_LIST: Final = frozenset({list})
_SETS: Final = ("set", "frozenset")
_SORTABLE: Final = ({str}, {int})
_SHOWN: Final = 40
_MANY: Final = 16
"""How many items are looked at faster all at once than one by one."""

_BEYOND_DECIMAL: Final = 10**MAX_DIGITS
_JSON_LEAVES: Final = frozenset({type(None), bool, int, float, str})
_JSON_KEYS: Final = frozenset({str})


def show(path: Path) -> str:
    """Return a path as an error names it: ``value["a"][1]``."""
    return "value" + "".join(map(_show_step, path))


def _show_step(step: object) -> str:
    if step is KEYS:
        return ".keys()"
    if type(step) is not str:
        return f"[{step}]" if type(step) is int and abs(step) < _BEYOND_DECIMAL else f"[<{type(step).__name__}>]"
    return f"[{json.dumps(step[:_SHOWN])}{'…' if len(step) > _SHOWN else ''}]"


class Lowering(ABC):
    """One walk over a value that returns a new value, in which every registered type is tagged."""

    def __init__(self, references: References | None) -> None:
        self._references = references

    @abstractmethod
    def _is_native(self, kind: type, value: Any) -> bool:
        """Return whether the format can write ``value``, which is not a ``str``, ``list`` or ``dict``, unchanged."""

    @abstractmethod
    def _lower_dict(self, value: dict[Any, Any], path: Path) -> Any:
        """Return the written form of a dict."""

    @abstractmethod
    def _tag(self, tag: str, lowered: Any) -> Any:
        """Return the written form of a value stored under a tag."""

    @abstractmethod
    def _order(self, lowered: Any) -> Any:
        """Return the sort key of the items of a set, if they are not all ``str`` or all ``int``."""

    def lower(self, value: Any, path: Path = ()) -> Any:
        """Return the written form of ``value``.

        Raises:
            EncodeError: It would not come back unchanged.
        """
        kind = builtin_type(type(value))
        if kind is str:
            return checked_text(value, path)
        if self._is_native(kind, value):
            return value
        if len(path) > MAX_DEPTH:
            raise EncodeError(f"{show(path[:3])}…: nested more than {MAX_DEPTH} deep, or holding itself; flatten it")
        if kind is list:
            return [self.lower(item, (*path, index)) for index, item in enumerate(value)]
        return self._lower_dict(value, path) if kind is dict else self._lower_tagged(value, path)

    def _lower_items(self, value: dict[Any, Any], path: Path) -> list[list[Any]]:
        try:
            require_spread(value)
        except EncodeError as error:
            raise EncodeError(f"{show(path)}: {error}") from None
        return [[self.lower(key, (*path, KEYS)), self.lower(item, (*path, key))] for key, item in value.items()]

    def _lower_tagged(self, value: Any, path: Path) -> Any:
        try:
            tag, plainer = tagged(value, self._references)
        except EncodeError as error:
            raise EncodeError(f"{show(path)}: {error}") from None
        lowered = self.lower(plainer, path)
        return self._tag(tag, self._in_order(lowered) if tag in _SETS else lowered)

    def _in_order(self, items: list[Any]) -> list[Any]:
        """Return the items of a set in an order such that equal sets of the same types have the same bytes."""
        return sorted(items, key=None if set(map(type, items)) in _SORTABLE else self._order)


def checked_text(text: str, path: Path) -> str:
    """Return ``text``.

    Raises:
        EncodeError: It is not text, as it has no UTF-8 form.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EncodeError(
            f"{show(path)}: a str with a lone surrogate is not text; store it as bytes, "
            "by .encode('utf-8', 'surrogatepass')"
        ) from None
    return text


class JSONLowering(Lowering):
    """Converts values to those of JSON."""

    def _is_native(self, kind: type, value: Any) -> bool:
        if kind is int:
            return bool(-_BEYOND_DECIMAL < value < _BEYOND_DECIMAL)
        return kind in _JSON_LEAVES and (kind is not float or isfinite(value))

    def _lower_dict(self, value: dict[Any, Any], path: Path) -> Any:
        if not _JSON_KEYS.issuperset(map(type, value)):
            return self._tag("dict", self._lower_items(value, path))
        lowered = dict(self._lower_items(value, path))
        return {f"${key}": item for key, item in lowered.items()} if is_marked(value) else lowered

    def _tag(self, tag: str, lowered: Any) -> Any:
        return {f"${tag}": lowered}

    def _order(self, lowered: Any) -> str:
        return to_json(lowered)


def is_marked(value: dict[str, Any]) -> bool:
    """Return whether a dict with ``str`` keys could be taken for a tagged value."""
    return len(value) == 1 and next(iter(value))[:1] == "$"


def lower(value: Any, references: References | None = None) -> Any:
    """Return ``value`` as plain JSON values, from which :func:`lift` restores it; no I/O.

    ::

        from datetime import date

        assert lower({"when": date(2026, 11, 25)}) == {"when": {"$date": "2026-11-25"}}

    Raises:
        EncodeError: It would not come back as it is; the message names the path inside the value and a remedy.
    """
    try:
        return JSONLowering(references).lower(value)
    except RecursionError:
        raise EncodeError("value: nested too deeply for the rest of the call stack") from None


def lift(plain: Any, references: References | None = None) -> Any:
    """Return the value that :func:`lower` turned into ``plain``; no I/O.

    ::

        assert lift({"$tuple": [1, 2]}) == (1, 2)

    Raises:
        DecodeError: :func:`lower` returns no such values.
    """
    try:
        return shallow(_lift(plain, references))
    except RecursionError:
        raise DecodeError("nested too deeply for the rest of the call stack") from None


def shallow(value: Any) -> Any:
    """Return ``value``, just read.

    Raises:
        DecodeError: It is nested deeper than the limit.
    """
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 2):
        kinds = set(map(type, level))
        if _HOLDERS.isdisjoint(kinds):
            return value
        holders = level if kinds <= _HOLDERS else [item for item in level if type(item) in _HOLDERS]
        items = [holder.values() for holder in holders if type(holder) is dict] if dict in kinds else []
        level = [*chain.from_iterable(holders), *chain.from_iterable(items)]
    raise DecodeError(f"nested more than {MAX_DEPTH} deep, which is not written")


def _lift(plain: Any, references: References | None) -> Any:
    if type(plain) is list:
        return [_lift(item, references) for item in plain]
    if type(plain) is not dict:
        return plain
    if not _JSON_KEYS.issuperset(map(type, plain)):
        raise DecodeError("a dict with a key that is not a str, which is not written")
    lifted = {key: _lift(item, references) for key, item in plain.items()}
    if not is_marked(lifted):
        return lifted
    [(key, item)] = lifted.items()
    return {key[1:]: item} if key.startswith("$$") else untagged(key[1:], item, references)


def plain_leaves(
    value: Any, leaves: frozenset[type], keys: frozenset[type], *, marks: bool
) -> AbstractSet[type] | None:
    """Return the types of the leaves of ``value``, None unless it consists only of leaves, lists and dicts.

    It runs at the speed of C. It is for values that an encoder has already written, so they contain no cycles.

    Args:
        value: The value to examine.
        leaves: The exact types of values that contain no others.
        keys: The exact types of keys.
        marks: Whether a dict for which :func:`is_marked` is true counts as not plain.
    """
    kind = type(value)
    if kind in leaves:
        return {kind}
    if kind is dict:
        return _leaves_in_dict(value, leaves, keys, marks=marks)
    if kind is list:
        found: set[type] = set(map(type, value))
        if found <= leaves:
            return found
    return _leaves_inside(value, leaves, keys, marks=marks)


def _leaves_in_dict(
    value: dict[Any, Any], leaves: frozenset[type], keys: frozenset[type], *, marks: bool
) -> AbstractSet[type] | None:
    if not keys.issuperset(map(type, value)) or (marks and is_marked(value)):
        return None
    found = set(map(type, value.values()))
    if found <= leaves:
        return found
    if len(value) < _MANY and found - leaves == _LIST:  # a dict of lists, as most nested values are
        inside = set(map(type, chain.from_iterable([item for item in value.values() if type(item) is list])))
        if inside <= leaves:
            return found - _LIST | inside
    return _leaves_inside(value, leaves, keys, marks=marks)


def _leaves_inside(
    value: Any, leaves: frozenset[type], keys: frozenset[type], *, marks: bool
) -> AbstractSet[type] | None:
    """Examine one level of nesting after the other, each as a whole."""
    level: list[Any] = [value]
    found: set[type] = set()
    for _ in range(MAX_DEPTH + 2):
        kinds = set(map(type, level))
        found |= kinds & leaves
        if kinds <= leaves:
            return found
        if not {builtin_type(kind) for kind in kinds - leaves} <= {list, dict}:
            return None
        dicts = [item for item in level if isinstance(item, dict)]
        if not _are_plain_keys(dicts, keys, marks=marks):
            return None
        lists = [item for item in level if isinstance(item, list)]
        level = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, dicts))]
    return None


def _are_plain_keys(dicts: list[dict[Any, Any]], keys: frozenset[type], *, marks: bool) -> bool:
    return keys.issuperset(map(type, chain.from_iterable(dicts))) and not (marks and any(map(is_marked, dicts)))
