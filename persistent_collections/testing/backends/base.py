"""What the parts of the backend suite share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import pytest

from persistent_collections.backends.base import Backend, Content, Key, Replace

KEY: Final = Key("Thing:x")
OTHER: Final = Key("Thing:y")


class StoreTests:
    """The hooks by which a store's own test class tells the suite how to reach the medium."""

    @pytest.fixture(params=[10_000, pytest.param(40_000, marks=pytest.mark.slow)])
    def many(self, request: pytest.FixtureRequest) -> int:
        """Return more than one statement or one script of the usual stores takes at once."""
        number: int = request.param
        return number

    def stored(self, backend: Backend, key: Key) -> Content | None:
        """Return what the medium holds under ``key``, read behind the backend's back.

        Give a dict of bytes, a list of bytes or a set of texts, where the medium does not tell a set from a list the
        list. This default asks the backend itself, from which an error that writing and reading share can hide.
        """
        with self.reopen(backend) as other:
            return read_content(other, key)

    def store(self, backend: Backend, key: Key, content: Content) -> None:
        """Put ``content`` into the medium under ``key``, written behind the backend's back."""
        with self.reopen(backend) as other:
            other.apply([Replace(key, content)])

    def reopen(self, backend: Backend) -> Backend:
        """Return another backend on the same store; of a store that lives in one backend, that backend."""
        return backend

    def assert_stored(self, backend: Backend, key: Key, expected: Content | None) -> None:
        """Check that the medium holds ``expected``, in its order where the store keeps one; empty is absent."""
        told = "the medium holds what was written; an emptied collection does not exist"
        assert_same(backend, self.stored(backend, key), expected, told)


def assert_same(backend: Backend, found: Content | None, expected: Content | None, told: str) -> None:
    """Check that ``found`` is ``expected``, in its order where the store keeps one; empty is absent."""
    if isinstance(expected, set) and isinstance(found, list):
        assert len(set(found)) == len(found), "a set holds no member twice"
        found = {json.loads(member) for member in found}
    assert found == (expected or None), told
    if backend.ordered and isinstance(found, dict) and isinstance(expected, dict):
        assert list(found) == list(expected), "an ordered store keeps the order in which fields were set first"


def read_content(backend: Backend, key: Key) -> Content | None:
    """Return all that ``key`` holds as the shape the backend says it has."""
    match backend.shape(key):
        case "mapping":
            return backend.mapping(key).get_all()
        case "sequence":
            return backend.sequence(key).get_slice(slice(None))
        case "members":
            return backend.members(key).get_all()
        case None:
            return None


def in_order(backend: Backend, fields: Mapping[str, bytes]) -> object:
    """Return ``fields`` so that comparing compares their order too, if the store keeps one."""
    return list(fields.items()) if backend.ordered else dict(fields)
