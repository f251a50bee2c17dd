"""What a process that forks at any moment leaves in good order for its child."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def lock_across_forks() -> Any:
    """Return a new lock that no other thread holds while the process forks, when its child would wait for ever."""
    lock = RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


class late(Generic[T]):  # noqa: N801 - used as a decorator
    """An attribute that is computed when it is first asked for, and is the same for all threads from then on.

    ``functools.cached_property`` of Python 3.11 has one lock for all instances, which a fork could leave locked.
    """

    def __init__(self, method: Callable[[Any], T]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type) -> T:
        if instance is None:
            return self  # type: ignore[return-value] # as of a property, for those who look at the class
        found: T = vars(instance).setdefault(self._name, self._method(instance))
        return found
