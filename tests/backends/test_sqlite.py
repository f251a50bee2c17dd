from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite
from persistent_collections.testing.crashes import CrashSuite
from tests.backends import sqlite_tables

pytestmark = pytest.mark.store("sqlite")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(tmp_path / "store.db", synchronous="OFF") as backend:
        yield backend


class TestSQLiteBackend(BackendSuite):
    def stored(self, backend: Backend, key: Key) -> Content | None:
        assert isinstance(backend, SQLiteBackend)
        return sqlite_tables.stored(backend._path, key)

    def store(self, backend: Backend, key: Key, content: Content) -> None:
        assert isinstance(backend, SQLiteBackend)
        sqlite_tables.store(backend._path, key, content)

    def reopen(self, backend: Backend) -> Backend:
        return SQLiteBackend.from_url(StoreURL.parse(backend.url))


class TestSQLiteBackendUnderContention(ContentionSuite):
    pass


class TestSQLiteBackendCrashes(CrashSuite):
    kills = 20
    slow_kills = 200
