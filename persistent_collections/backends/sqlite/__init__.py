"""A store in one SQLite file."""

from persistent_collections.errors import ConfigurationError

try:
    from persistent_collections.backends.sqlite.backend import SQLiteBackend
except ImportError as error:
    raise ConfigurationError("this store needs the module sqlite3, and this Python was built without it") from error

__all__ = ["SQLiteBackend"]
