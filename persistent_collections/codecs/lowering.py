"""Values taken down to what a format writes natively, and brought back: the one walk every codec shares.

:func:`lower` and :func:`lift` do it for plain JSON values: a registered type is a one-key object ``{"$tag": x}``, a
user's one-key dict whose key starts with ``$`` gets one more ``$``, and a dict with other keys than ``str`` is
``{"$dict": [[key, value], …]}``.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import chain
from math import isfinite
from typing import Any, Final, TypeAlias

from persistent_collections.codecs.base import References
from persistent_collections.codecs.types import builtin_type, tagged, untagged
from persistent_collections.errors import DecodeError, EncodeError

Path: TypeAlias = tuple[object, ...]

MAX_DEPTH: Final = 100
"""The deepest nesting that is written, so that it can be read from any depth of the call stack."""

MAX_DIGITS: Final = 4300
"""The longest decimal integer that is written: what Python itself reads unless told otherwise."""

KEYS: Final = object()
"""The step of a path into the keys of a dict."""

to_json: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode
"""The one way JSON is written."""

_SETS: Final = ("set", "frozenset")
_SORTABLE: Final = ({str}, {int})
_SHOWN: Final = 40
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
    """One walk over a value, giving a new one in which every registered type is tagged."""

    def __init__(self, references: References | None) -> None:
        self._references = references

    @abstractmethod
    def _is_native(self, kind: type, value: Any) -> bool:
        """Say whether the format writes ``value``, which is no ``str``, ``list`` or ``dict``, as it is."""

    @abstractmethod
    def _lower_dict(self, value: dict[Any, Any], path: Path) -> Any:
        """Return what is written for a dict."""

    @abstractmethod
    def _tag(self, tag: str, lowered: Any) -> Any:
        """Return what is written for something stored under a tag."""

    @abstractmethod
    def _order(self, lowered: Any) -> Any:
        """Return what the items of a set are sorted by, where they are not all ``str`` or all ``int``."""

    def lower(self, value: Any, path: Path = ()) -> Any:
        """Return what is written for ``value``.

        Raises:
            EncodeError: It would not come back as it is.
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
        return [[self.lower(key, (*path, KEYS)), self.lower(item, (*path, key))] for key, item in value.items()]

    def _lower_tagged(self, value: Any, path: Path) -> Any:
        try:
            tag, plainer = tagged(value, self._references)
        except EncodeError as error:
            raise EncodeError(f"{show(path)}: {error}") from None
        lowered = self.lower(plainer, path)
        return self._tag(tag, self._in_order(lowered) if tag in _SETS else lowered)

    def _in_order(self, items: list[Any]) -> list[Any]:
        """Return the items of a set so that equal sets of the same types give the same bytes."""
        return sorted(items, key=None if set(map(type, items)) in _SORTABLE else self._order)


def checked_text(text: str, path: Path) -> str:
    """Return ``text``.

    Raises:
        EncodeError: It is no text, as it has no UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EncodeError(
            f"{show(path)}: a str with a lone surrogate is no text; store it as bytes, "
            "by .encode('utf-8', 'surrogatepass')"
        ) from None
    return text


class JSONLowering(Lowering):
    """To the values of JSON."""

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
    """Say whether a dict with ``str`` keys could be taken for a tagged value."""
    return len(value) == 1 and next(iter(value))[:1] == "$"


def lower(value: Any, references: References | None = None) -> Any:
    """Return ``value`` as plain JSON values, which :func:`lift` brings back.

    Raises:
        EncodeError: It would not come back as it is; the message names the path inside the value and a remedy.
    """
    try:
        return JSONLowering(references).lower(value)
    except RecursionError:
        raise EncodeError("value: nested too deeply for what is left of the call stack") from None


def lift(plain: Any, references: References | None = None) -> Any:
    """Return the value that was lowered to ``plain``.

    Raises:
        DecodeError: :func:`lower` gives no such values.
    """
    try:
        return _lift(plain, references)
    except RecursionError:
        raise DecodeError("nested too deeply for what is left of the call stack") from None


def _lift(plain: Any, references: References | None) -> Any:
    if type(plain) is list:
        return [_lift(item, references) for item in plain]
    if type(plain) is not dict:
        return plain
    lifted = {key: _lift(item, references) for key, item in plain.items()}
    if not is_marked(lifted):
        return lifted
    [(key, item)] = lifted.items()
    return {key[1:]: item} if key.startswith("$$") else untagged(key[1:], item, references)


def is_plain(
    value: Any, leaves: frozenset[type], keys: frozenset[type], *, depth: int = MAX_DEPTH, marks: bool
) -> bool:
    """Say whether ``value`` is leaves, lists and dicts all through, of exactly these types, at the speed of C.

    It is for values that an encoder has already written, so that it does not go round in circles.

    Args:
        value: What is looked at.
        leaves: The types of values that hold no others.
        keys: The types of keys.
        depth: The deepest nesting that is plain.
        marks: Whether a dict that :func:`is_marked` is not plain.
    """
    kind = type(value)
    if kind is dict and keys.issuperset(map(type, value)) and leaves.issuperset(map(type, value.values())):
        return not (marks and is_marked(value))
    if kind in leaves or (kind is list and leaves.issuperset(map(type, value))):
        return True
    return _is_plain_inside(value, leaves, keys, depth, marks=marks)


def _is_plain_inside(value: Any, leaves: frozenset[type], keys: frozenset[type], depth: int, *, marks: bool) -> bool:
    """Look at one level of nesting after the other, all that is in it at once."""
    level: Iterable[Any] = [value]
    for _ in range(depth + 2):
        kinds = set(map(type, level))
        if kinds <= leaves:
            return True
        if not {builtin_type(kind) for kind in kinds - leaves} <= {list, dict}:
            return False
        dicts = [item for item in level if isinstance(item, dict)]
        if not keys.issuperset(map(type, chain.from_iterable(dicts))) or (marks and any(map(is_marked, dicts))):
            return False
        lists = [item for item in level if isinstance(item, list)]
        level = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, dicts))]
    return False
