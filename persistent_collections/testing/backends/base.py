"""The common base of the parts of the backend suite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Replace
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.shapes import MAPPING, Shape

KEY: Final = Key("Thing:x")
OTHER: Final = Key("Thing:y")


class StoreTests:
    """The hooks by which a store's own test class tells the suite how to reach the medium."""

    @pytest.fixture(params=[10_000, pytest.param(40_000, marks=pytest.mark.slow)])
    def many(self, request: pytest.FixtureRequest) -> int:
        """Return more items than one statement or script of the usual stores accepts."""
        number: int = request.param
        return number

    def stored(self, backend: Backend, key: Key) -> Content | None:
        """Return the content of ``key`` in the medium, read without the backend.

        Give a dict of bytes, a list of bytes or a set of texts, where the medium does not tell a set from a list the
        list. This default asks the backend itself, from which an error that writing and reading share can hide.
        """
        with self.reopen(backend) as other:
            return read_content(other, key)

    def store(self, backend: Backend, key: Key, content: Content) -> None:
        """Put ``content`` into the medium under ``key``, written behind the backend's back."""
        with self.reopen(backend) as other:
            other.commit([], [Replace(key, content)])

    def reopen(self, backend: Backend) -> Backend:
        """Return another backend on the same store; of a store that lives in one backend, that backend."""
        return backend

    def assert_stored(self, backend: Backend, key: Key, expected: Content | None) -> None:
        """Check that the medium holds ``expected``, in its order if the store keeps one; empty means absent."""
        told = "the medium holds what was written; an emptied collection does not exist"
        assert_same(backend, self.stored(backend, key), expected, told)


def assert_same(backend: Backend, found: Content | None, expected: Content | None, told: str) -> None:
    """Check that ``found`` is ``expected``, in its order if the store keeps one; empty means absent."""
    if isinstance(expected, set) and isinstance(found, list):
        assert len(set(found)) == len(found), "a set holds no member twice"
        found = {json.loads(member) for member in found}
    assert found == (expected or None), told
    if backend.ordered and isinstance(found, dict) and isinstance(expected, dict):
        assert list(found) == list(expected), "an ordered store keeps the order in which fields were set first"


def read_content(backend: Backend, key: Key) -> Content | None:
    """Return the content of ``key`` in the shape that the backend reports."""
    shape = shape_at(backend, key)
    return None if shape is None else shape.read(backend.open(shape, key, is_record=shape is MAPPING))


def put(backend: Backend, key: Key, content: Content) -> None:
    """Make ``key`` hold ``content``, whatever it held, and whether or not it has an owner; without a deadline."""
    assert backend.commit([], [Delete(key), Replace(key, content)])


def shape_at(backend: Backend, key: Key) -> Shape | None:
    """Return the shape of the content of ``key``."""
    [found] = backend.look([key])
    return found and found.shape


def exists(backend: Backend, key: Key) -> bool:
    """Return whether ``key`` holds anything."""
    return backend.look([key]) != [None]


def ttl(backend: Backend, key: Key) -> float | None:
    """Return the remaining seconds of ``key``, None without a deadline."""
    [found] = backend.look([key])
    return found and found.ttl_s


def in_order(backend: Backend, fields: Mapping[str, bytes]) -> object:
    """Return ``fields`` in a form that compares their order too, if the store keeps one."""
    return list(fields.items()) if backend.ordered else dict(fields)
