"""Changes of one part of an object as one statement, which needs no ``BEGIN`` and no ``COMMIT``.

Each is a view with a trigger in the temporary schema of a connection. The file has none of them, and writes of many
parts do not use them. They change existing objects, and leave none empty. In any unusual case they
change nothing, and the full procedure runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

from persistent_collections.backends.sqlite.schema import PLACES

_ALIVE: Final = "(deadline IS NULL OR deadline > new.now)"
_OWN: Final = "root = new.root AND child = new.child"
_FOUND: Final = (
    f"{_OWN} AND {_ALIVE} "
    f"AND (new.child = x'' OR EXISTS (SELECT 1 FROM objects WHERE root = new.root AND child = x'' AND {_ALIVE}))"
)
"""The object exists, and so does the owner of a child."""

_RUN: Final = "shape = 'sequence' AND tree IS NULL AND size = next - first"
_PROCEDURES: Final = (
    (
        "set_field (root, child, now, name, data) AS SELECT NULL, NULL, NULL, NULL, NULL",
        "INSERT INTO fields (place, object, name, data) SELECT (id << 32) + next, id, new.name, new.data FROM objects "
        f"WHERE {_FOUND} AND shape = 'mapping' AND next < {PLACES} "
        "ON CONFLICT (object, name) DO UPDATE SET data = excluded.data",
        f"size = size + 1, next = next + 1 WHERE {_OWN} AND shape = 'mapping' "
        "AND EXISTS (SELECT 1 FROM fields WHERE place = (id << 32) + next)",
    ),
    (
        "delete_field (root, child, now, name) AS SELECT NULL, NULL, NULL, NULL",
        "DELETE FROM fields WHERE name = new.name "
        f"AND object = (SELECT id FROM objects WHERE {_FOUND} AND shape = 'mapping' AND size > 1)",
        f"size = size - 1 WHERE {_OWN} AND changes() = 1",
    ),
    (
        "push_right (root, child, now, data) AS SELECT NULL, NULL, NULL, NULL",
        "INSERT INTO items (place, data) SELECT (id << 32) + next, new.data FROM objects "
        f"WHERE {_FOUND} AND {_RUN} AND next < {PLACES}",
        f"size = size + 1, next = next + 1 WHERE {_OWN} AND changes() = 1",
    ),
    (
        "push_left (root, child, now, data) AS SELECT NULL, NULL, NULL, NULL",
        "INSERT INTO items (place, data) SELECT (id << 32) + first - 1, new.data FROM objects "
        f"WHERE {_FOUND} AND {_RUN} AND first > 0",
        f"size = size + 1, first = first - 1 WHERE {_OWN} AND changes() = 1",
    ),
    *(
        (
            f"{name} (root, child, now) AS SELECT NULL, NULL, NULL",
            f"DELETE FROM items WHERE place = (SELECT (id << 32) + {place} FROM objects "
            f"WHERE {_FOUND} AND {_RUN} AND size > 1) AND typeof(data) = 'blob' AND take(data) IS NULL",
            f"size = size - 1, {row} WHERE {_OWN} AND changes() = 1",
        )
        for name, place, row in (
            ("pop_left", "first", "first = first + 1"),
            ("pop_right", "next - 1", "next = next - 1"),
        )
    ),
)


def create_procedures(db: sqlite3.Connection, take: Callable[[Any], None]) -> None:
    """Make the views of a connection, to insert into.

    Args:
        db: The connection.
        take: Becomes the function ``take`` of SQL, which gives a value to Python in less time than ``RETURNING`` and
            is NULL. It must be of C, such as ``list.append``: the exception of a signal handler would end in SQLite.
    """
    db.create_function("take", 1, take)
    db.execute("PRAGMA temp_store = MEMORY")
    for view, content, row in _PROCEDURES:
        name = view.partition(" ")[0]
        db.execute(f"CREATE TEMP VIEW {view}")
        db.execute(
            f"CREATE TEMP TRIGGER on_{name} INSTEAD OF INSERT ON {name} BEGIN {content}; UPDATE objects SET {row}; END"
        )
