"""A running store in one file, ready to be put back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from persistent_collections.config import BackendSource, choose, resolve


def backup(source: BackendSource, file: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write all of a SQLite store, as it is at one moment, to another file, while others go on writing.

    ::

        from pathlib import Path
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder, connect(f"sqlite:{folder}/app.db") as store:
            PersistentDict("settings", {"theme": "dark"}, backend=store)
            backup(store, Path(folder, "app-backup.db"))

    The file can be read by its owner only, and takes its name once it is complete and on the disk. It is a store: open
    it by its URL, or put it in the place of the first while no program uses that, without the ``-wal`` and ``-shm``
    files of the first. Cost: O(n); it waits for no writer, and no writer waits for it.

    Args:
        source: The store: a configured name, a URL or a backend.
        file: A path.
        overwrite: Replace a file that exists.

    Raises:
        ConfigurationError: The store is not of one file; :func:`~persistent_collections.moving.export` takes any.
        FileExistsError: The file exists, and ``overwrite`` is not given; it was left as it is.
        OSError: The file cannot be written.
    """
    target = Path(file)
    if not overwrite and os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        error.filename = str(target)  # the name that the caller passed
        raise
    try:
        resolve(choose(source)).back_up(unfinished)
        os.fsync(descriptor)
        if overwrite:
            unfinished.replace(target)
        else:
            os.link(unfinished, target)  # unlike a renaming, it replaces nothing
    finally:
        os.close(descriptor)
        unfinished.unlink(missing_ok=True)
