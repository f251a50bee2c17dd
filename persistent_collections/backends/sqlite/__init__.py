"""A store in one SQLite file."""

from persistent_collections.errors import ConfigurationError

try:
    from persistent_collections.backends.sqlite.backend import SQLiteBackend
except ImportError as error:
    raise ConfigurationError("this store needs the sqlite3 module, which this Python was built without") from error

__all__ = ["SQLiteBackend"]
