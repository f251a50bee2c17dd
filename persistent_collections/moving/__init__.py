"""Moving objects from store to store, and to a file and back: :func:`copy`, :func:`export`, :func:`import_`.

:func:`backup` copies a whole SQLite store, which may be in use.

Each object moves with its children and their deadlines: put in one step, as the same bytes, and read back. Values are
not decoded. ``copy`` moves a password's hash as it is stored, ``export`` if you say so.

The names of all keys are held in memory, and one object, or some that have 1 MB together: as many as a store reads or
puts best in one step.
"""

from persistent_collections.moving.backups import backup
from persistent_collections.moving.copying import Exported, copy, export, import_
from persistent_collections.moving.receiving import Moved, OnConflict, Progress
from persistent_collections.moving.secrets import Secrets

__all__ = ["Exported", "Moved", "OnConflict", "Progress", "Secrets", "backup", "copy", "export", "import_"]
