"""A store in one SQLite file."""

from persistent_collections.backends.sqlite.backend import SQLiteBackend

__all__ = ["SQLiteBackend"]
