"""The public functions: from a store to a store, to a file, and from a file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TypeAlias

from persistent_collections.backends.base import Backend
from persistent_collections.catalogue import CodecNames, Known
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.config import BackendSource, choose, resolve
from persistent_collections.errors import ConfigurationError
from persistent_collections.moving.lines import Header, LineReader, write_lines
from persistent_collections.moving.media import translator
from persistent_collections.moving.objects import Source, StoredObject
from persistent_collections.moving.receiving import Moved, OnConflict, Progress, Receiver
from persistent_collections.moving.secrets import Secrets, settled


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of exporting a store.

    ::

        from io import BytesIO

        with connect("memory:") as store:
            PersistentDict("settings", {"theme": "dark"}, backend=store)
            assert export(store, BytesIO()) == Exported(exported=1, foreign=0)

    Attributes:
        exported: The number of objects in the file.
        foreign: The number of keys that were skipped, since another program wrote them.
    """

    exported: int = 0
    foreign: int = 0


File: TypeAlias = str | os.PathLike[str] | IO[bytes]
"""A path, or a file opened in binary mode."""


def copy(
    source: BackendSource,
    target: BackendSource,
    *,
    prefix: str = "",
    on_conflict: OnConflict = "error",
    codec: CodecNames = None,
    classes: Iterable[type[PersistentObject]] = (),
    progress: Progress | None = None,
) -> Moved:
    """Copy every object from one store to another.

    ::

        with connect("memory:") as here, connect("memory:") as there:
            PersistentDict("settings", {"theme": "dark"}, backend=here)
            assert copy(here, there).copied == 1
            assert PersistentDict("settings", backend=there)["theme"] == "dark"

    Each object is stored in one step, with its children and deadlines, and read back. An object that exists already
    with the same content and deadline (to within 5 s) is left alone. So if a copy was cut off, run it again.
    The bytes of values are copied unchanged. Only between JSON files and stores of bytes are some values wrapped in a
    JSON string, or unwrapped. The codec of each value must be known for that: import its class, or for a collection
    pass ``codec``.

    Others may write to the source meanwhile. An object and its children are read at one moment, but two objects are
    read at different moments.

    Data of other programs are skipped if this library never writes their type, such as a string in Redis. A hash, list
    or set counts as an object. To copy only your own, pass ``prefix`` or put ``?prefix=`` into the URL of the source.

    Cost: SQLite reads up to 200 objects in one transaction, and stores as many in one. Redis reads up to 100 in one
    round trip, and stores as many in one; a Redis Cluster takes one per node. A batch has about 1 MB, or one object.
    JSON files are read one object at a time, and up to 20 objects are stored in one step. Other stores read and store
    one object at a time. In memory: the names of all keys, and a batch.

    Args:
        source: The store to read: a configured name, a URL or a backend.
        target: The store to write, likewise. Its ``?codec=`` must be the source's.
        prefix: Copy only objects whose key starts with it.
        on_conflict: If an object exists and differs: ``"error"`` stops, and objects copied before stay; ``"skip"``
            keeps the existing one; ``"replace"`` replaces it.
        codec: The codec of collections whose class chooses none: one codec for all, or codecs by
            key, by type and for the rest:
            ``{"PersistentDict:settings": "json", "PersistentList:*": "msgpack", "*": "json"}``. It does not apply to
            records and their children: only the record's class knows how these are encoded.
        classes: Additional classes besides the imported ones.
        progress: Called after each object with the number of objects done and the key.

    Raises:
        ObjectExists: An object exists and differs, and ``on_conflict`` is ``"error"``.
        ConfigurationError: The codec of a value is not known, or the stores' own codecs differ.
        DecodeError: A value is not what its codec writes.
        CorruptDataError: An object does not read back as it was written.
    """
    origin, goal = resolve(choose(source)), resolve(choose(target))
    _check_codecs(origin.codec, goal)
    known = Known(classes, codec, origin.codec)
    receiver = Receiver(goal, known, prefix, on_conflict)
    translate = translator(origin.medium, goal.medium, known)
    objects = Source(origin, prefix, known)
    return replace(receiver.receive(map(translate, objects.objects()), progress), foreign=objects.foreign)


def export(
    source: BackendSource,
    file: File,
    *,
    prefix: str = "",
    secrets: Secrets | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write every object to a file of JSON Lines, one object per line.

    ::

        from io import BytesIO

        with connect("memory:") as store:
            PersistentDict("settings", {"theme": "dark"}, backend=store)
            assert export(store, BytesIO()).exported == 1

    If you pass a path, only the file's owner can read it, and it gets its name once it is complete. Data of other
    programs are skipped, as in :func:`copy`. Fields that are not stored, such as one added to the class later, are not
    in the file.

    Cost: objects are read as :func:`copy` reads them, and written one by one.

    Args:
        source: The store to read: a configured name, a URL or a backend.
        file: A path, or a file open for writing in binary mode.
        prefix: Write only objects whose key starts with it.
        secrets: Whether to write the hashes of passwords: ``"keep"`` writes them as they are stored, for a backup that
            you protect as well as the store; ``"omit"`` leaves out the fields that hold them.
        overwrite: Replace a file that exists.
        progress: As for :func:`copy`.

    Raises:
        ConfigurationError: The store holds the hash of a password, and ``secrets`` is not given.
        FileExistsError: The file exists, and ``overwrite`` is not given; it was left as it is.
        OSError: The file cannot be written.
    """
    backend = resolve(choose(source))
    header = Header("persistent-collections", 1, backend.medium, backend.codec)
    source_objects = Source(backend, prefix, Known((), None, backend.codec))
    objects = settled(source_objects.objects(), secrets)
    written = 0
    with _writing(file, overwrite=overwrite) as out:
        for line in write_lines(header, _reported(objects, progress) if progress else objects):
            out.write(line)
            written += 1
    return Exported(written - 2, source_objects.foreign)  # the first and the last line aren't objects


def import_(
    file: File,
    target: BackendSource,
    *,
    prefix: str = "",
    on_conflict: OnConflict = "error",
    codec: CodecNames = None,
    classes: Iterable[type[PersistentObject]] = (),
    progress: Progress | None = None,
) -> Moved:
    """Store every object of a file that :func:`export` wrote, as :func:`copy` does.

    ::

        from io import BytesIO

        with connect("memory:") as store, connect("memory:") as other:
            PersistentDict("settings", {"theme": "dark"}, backend=store)
            file = BytesIO()
            export(store, file)
            file.seek(0)
            assert import_(file, other).copied == 1

    A line that is cut off, edited, missing or out of place stops the import before its object is written. The objects
    of the lines before it are imported.

    Cost: as :func:`copy`.

    Args:
        file: A path, or a file open for reading in binary mode.
        target: The store to write: a configured name, a URL or a backend. Its ``?codec=`` must be that of the store
            that was exported.
        prefix: As for :func:`copy`.
        on_conflict: As for :func:`copy`.
        codec: As for :func:`copy`.
        classes: As for :func:`copy`.
        progress: As for :func:`copy`.

    Raises:
        CorruptDataError: A line was changed since the export, or an object does not read back as it was written.
        PersistentCollectionsError: As for :func:`copy`.
        OSError: The file cannot be read.
    """
    goal = resolve(choose(target))
    with _reading(file) as lines:
        reader = LineReader(lines, str(getattr(lines, "name", "the file")))
        _check_codecs(reader.header.codec, goal)
        known = Known(classes, codec, reader.header.codec)
        receiver = Receiver(goal, known, prefix, on_conflict)
        translate = translator(reader.header.medium, goal.medium, known)
        chosen = (stored for stored in reader.objects() if stored.root.startswith(prefix))
        return receiver.receive(map(translate, chosen), progress)


def _reported(objects: Iterable[StoredObject], progress: Progress) -> Iterator[StoredObject]:
    for done, stored in enumerate(objects, 1):
        yield stored
        progress(done, stored.root)


def _check_codecs(source_codec: str | None, target: Backend) -> None:
    if source_codec != target.codec:
        raise ConfigurationError(
            f"the values are written for ?codec={source_codec or '…'} and {target.url} would read them for "
            f"?codec={target.codec or '…'}; connect to it with the same choice, or without one, as the source"
        )


@contextmanager
def _writing(file: File, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Yield the file to write; a file given by its path is put in place when the block ends without an error."""
    if not isinstance(file, str | os.PathLike):
        yield file
        return
    path = Path(file)
    put = partial(_replace if overwrite else _add, path)
    if not overwrite:
        _require_absent(path)
    try:
        opened = NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)  # noqa: SIM115 - closed below
    except OSError as error:
        error.filename = str(path)  # the name that the caller passed
        raise
    with _naming(path), opened as out:
        try:
            yield out
            out.flush()
            os.fsync(out.fileno())
            put(Path(out.name))
        finally:
            Path(out.name).unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Give an error of the system that names no file the name that the caller passed."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise


def _replace(path: Path, complete: Path) -> None:
    complete.replace(path)


def _add(path: Path, complete: Path) -> None:
    """Rename a file to its final name, unless another file has taken it meanwhile."""
    try:
        path.hardlink_to(complete)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links
        _require_absent(path)
        complete.replace(path)


def _require_absent(path: Path) -> None:
    if os.path.lexists(path):
        raise _exists(path)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "the file exists already; overwrite=True replaces it", str(path))


@contextmanager
def _reading(file: File) -> Iterator[IO[bytes]]:
    if not isinstance(file, str | os.PathLike):
        yield file
        return
    with Path(file).open("rb") as lines:
        yield lines
