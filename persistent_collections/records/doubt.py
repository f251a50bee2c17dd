"""Handles of children that an older class may have stored as fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any

from persistent_collections.backends.effects import Effect, operations_of
from persistent_collections.backends.shapes import Shape


class Doubted:
    """The handle of a child which checks once, when it first reads nothing, whether a field has its name.

    After that check, or after a read that found content, it costs no more than the wrapped handle.
    """

    def __init__(self, shape: Shape, handle: Any, refuse_field: Callable[[], object]) -> None:
        self._handle = handle
        self._refuse_field = refuse_field
        self._effects = _effects(shape)
        self._is_trusted = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._handle, name)
        if self._is_trusted or self._effects[name] != "reads":
            setattr(self, name, method)
            return method
        return partial(self._pages if name == "pages" else self._read, name, method)

    def require_child(self) -> None:
        """Raise if the record has a field with the child's name; ask the store once.

        Raises:
            SchemaChangedError: It does.
        """
        if not self._is_trusted:
            self._refuse_field()
            self._is_trusted = True

    def _read(self, name: str, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        found = method(*args, **kwargs)
        if name == "combine" or _is_nothing(found):  # combine reads others too
            self.require_child()
        self._is_trusted = True
        return found

    def _pages(self, _: str, method: Callable[[], Iterable[Any]]) -> Iterator[Any]:
        for page in method():
            self._is_trusted = self._is_trusted or bool(page)
            yield page
        self.require_child()


@cache
def _effects(shape: Shape) -> dict[str, Effect]:
    return operations_of(shape.interface)


def _is_nothing(found: Any) -> bool:
    return not found or (isinstance(found, list) and all(part is None for part in found))
