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
    """The hooks with which the test class of a store gives the suite access to the medium."""

    @pytest.fixture(params=[10_000, pytest.param(40_000, marks=pytest.mark.slow)])
    def many(self, request: pytest.FixtureRequest) -> int:
        """Return a number of items larger than one statement or script of the usual stores accepts."""
        number: int = request.param
        return number

    def stored(self, backend: Backend, key: Key) -> Content | None:
        """Return the content of ``key`` in the medium, read without the backend.

        The result is a dict of bytes, a list of bytes or a set of texts; a list, if the medium does not distinguish
        sets from lists. This default asks a second backend, so it misses a mistake that writing and reading share.
        """
        with self.reopen(backend) as other:
            return read_content(other, key)

    def store(self, backend: Backend, key: Key, content: Content) -> None:
        """Put ``content`` into the medium under ``key``, without the backend."""
        with self.reopen(backend) as other:
            other.commit([], [Replace(key, content)])

    def reopen(self, backend: Backend) -> Backend:
        """Return another backend on the same store; the backend itself, if its store ends with it."""
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
    """Make ``key`` hold ``content`` without a deadline, whatever it held, and whether or not its owner exists."""
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
