"""Moving objects from store to store, and to a file and back: :func:`copy`, :func:`export`, :func:`import_`.

Each moves one object at a time, its children and their deadlines with it: put in one step, as the same bytes, and read
back. Values are not decoded. ``copy`` moves a password's hash as it is stored, ``export`` where it is told to.

The names of all keys, and one object, are held in memory.
"""

from persistent_collections.moving.copying import Exported, copy, export, import_
from persistent_collections.moving.receiving import Moved, OnConflict, Progress
from persistent_collections.moving.secrets import Secrets

__all__ = ["Exported", "Moved", "OnConflict", "Progress", "Secrets", "copy", "export", "import_"]
