"""Statements done on an object in a store and on the built-in it is like, and what comes of both."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from copy import deepcopy
from types import CodeType
from typing import Any, Final

_CONTAINERS: Final = (list, dict, set, frozenset, tuple)


def shown(value: Any) -> Hashable:
    """Return what tells ``value`` from any other, types at every depth included, but not a list from a nested one."""
    kind = next((kind for kind in _CONTAINERS if isinstance(value, kind)), None)
    if kind is None:
        return type(value), repr(value)
    if kind is dict:
        return dict, frozenset((shown(key), shown(item)) for key, item in value.items())
    items = map(shown, value)
    return kind, frozenset(items) if kind in (set, frozenset) else tuple(items)


def rank(value: Any) -> str:
    """Return what to sort values of any types by, the same for an equal one of the same type."""
    kind = next((kind for kind in _CONTAINERS if isinstance(value, kind)), None)
    if kind is None:
        return repr(value)
    ranks = map(rank, value.items() if kind is dict else value)
    return f"{kind.__name__}({', '.join(ranks if kind in (list, tuple) else sorted(ranks))})"


def folded(key: Any) -> Any:
    """Return the key that comes back for all that are equal to this one; of a container of keys, one of such keys."""
    if isinstance(key, dict):
        return {folded(each): value for each, value in key.items()}
    if isinstance(key, tuple | list | set | frozenset):
        return type(key)(map(folded, key))
    return int(key) if isinstance(key, bool) or (isinstance(key, float) and key.is_integer()) else key


def shown_folded(value: Any) -> Hashable:
    """Return what tells ``value`` from any other, but for which of equal keys it holds or is."""
    return shown(folded(value))


def compiled(statement: str) -> CodeType:
    """Return the code of an expression or a statement."""
    try:
        return compile(statement, statement, "eval")
    except SyntaxError:
        return compile(statement, statement, "exec")


def each(*tables: str) -> list[CodeType]:
    """Return the code of each line of the tables."""
    return [compiled(line) for table in tables for line in table.strip().splitlines()]


def outcome(statement: CodeType, names: Mapping[str, Any]) -> tuple[type[BaseException] | None, Any]:
    """Return what a statement that works on ``it`` raises and what it gives."""
    namespace = {**names, "rank": rank}
    try:
        result = eval(statement, namespace)
    except Exception as error:  # noqa: BLE001 - whatever the built-in raises, ours has to
        return type(error), None
    assert namespace["it"] is names["it"], "what changes in place stays what it is"
    return None, "it" if result is names["it"] else result


def assert_same(
    statement: CodeType, ours: Mapping[str, Any], model: Mapping[str, Any], show: Callable[[Any], Hashable] = shown
) -> None:
    """Do a statement on both and compare what they raise and give, as ``show`` shows it."""
    before = deepcopy(model["it"])
    expected, gave = outcome(statement, model)
    error, got = outcome(statement, ours)
    assert (error is None) == (expected is None), f"{statement.co_filename}: {error} instead of {expected}"
    assert error is None or issubclass(error, expected or Exception), f"{error} instead of {expected}"
    assert show(got) == show(gave), f"{statement.co_filename}: {got!r} instead of {gave!r}"
    if expected:
        refill(model["it"], before)  # a sort that fails leaves a list half sorted, and ours as it was


def refill(model: Any, content: Any) -> None:
    """Put ``content`` in place of all a built-in holds."""
    model.clear()
    (model.extend if isinstance(model, list) else model.update)(content)


def unaliased(model: Any) -> Any:
    """Return a copy in which no two items are one object, as what is stored is."""
    if isinstance(model, dict):
        return {key: unaliased(value) for key, value in model.items()}
    return type(model)(map(unaliased, model)) if isinstance(model, list | set | tuple) else model
