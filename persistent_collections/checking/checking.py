"""The public function: a walk over a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import get_args

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.catalogue import CodecNames, Known
from persistent_collections.checking.ahead import Entries, read_ahead
from persistent_collections.checking.examiner import Examiner
from persistent_collections.checking.findings import Finding, Repairable
from persistent_collections.checking.indexes import IndexExaminer, examiners
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.config import BackendSource, choose, resolve
from persistent_collections.errors import ConfigurationError, CorruptDataError
from persistent_collections.moving.receiving import Progress
from persistent_collections.remedies import Argument


def check(
    backend: BackendSource,
    *,
    prefix: str = "",
    repair: Collection[Repairable] = (),
    codec: CodecNames = None,
    classes: Iterable[type[PersistentObject]] = (),
    progress: Progress | None = None,
) -> Iterator[Finding]:
    """Yield the faults in a store; nothing is changed unless ``repair`` names the kind of fault.

    ::

        with connect("memory:") as store:
            PersistentDict("settings", {"theme": "dark"}, backend=store)
            assert list(check(store)) == []

    Classes are known once the modules that define them are imported. Data that no known class declares is a finding,
    so import all of them before you repair. Objects of unknown types are deleted only if ``prefix`` names the type,
    since objects of other programs in a shared store look no different.

    A repair deletes what is at fault: the value, key or member that cannot be read; the reference, if it is all of a
    value; the field, the child or the object. You repair a reference inside a value yourself. The deletion is made
    before its finding is yielded, and, except for whole keys, only if the store still holds the fault. The repair of
    ``"former_field"`` stores the value as it is declared now, as ``migrate`` does. A repair of an index changes its
    entries, and no record. The repair of ``"stale_entry"`` also removes entries of deleted records, which are not
    faults.

    Cost: objects are read as :func:`persistent_collections.moving.copy` reads them, and those with a fault again; one
    round trip per record that is referred to and whose key does not start with ``prefix``. In memory: the names of all
    keys, and a batch. If a class has indexes, all records and entries are read once more, or twice if
    anything is wrong, and the entries are held in memory.

    Args:
        backend: The store: a configured name, a URL or a backend.
        prefix: Check only objects whose key starts with it.
        repair: The kinds of findings to repair; ``"unknown_type"`` needs a prefix such as ``"Old:"``.
        codec: The codec of values if neither a class nor the URL chooses one, as for
            :func:`persistent_collections.moving.copy`; by default ``json``.
        classes: Additional classes besides the imported ones.
        progress: Called after each key with the number of keys done and the key.

    Raises:
        ValueError: ``repair`` names a kind that cannot be repaired.
        ConfigurationError: ``repair`` names ``"unknown_type"``, and ``prefix`` names no type.
    """
    store = resolve(choose(backend))
    return examine(store, Known(classes, codec, store.codec), prefix=prefix, repair=repair, progress=progress)


def examine(
    backend: Backend,
    known: Known,
    *,
    prefix: str,
    repair: Collection[Repairable],
    is_agreed: Callable[[Finding], bool] = lambda _: True,
    progress: Progress | None = None,
) -> Iterator[Finding]:
    """Yield the faults in a store, like :func:`check`.

    Args:
        backend: The store.
        known: The classes.
        prefix: As for :func:`check`.
        repair: As for :func:`check`.
        is_agreed: Called with each finding that would be repaired.
        progress: As for :func:`check`.
    """
    if isinstance(repair, bool | str):
        raise TypeError(f"repair takes the kinds of findings to repair, such as ['former_field'], not {repair!r}")
    for kind in repair:
        if kind not in get_args(Repairable):
            raise ValueError(f"{kind!r} cannot be repaired; the kinds that can are {', '.join(get_args(Repairable))}")
    if "unknown_type" in repair and ":" not in prefix:
        raise ConfigurationError(
            "objects of an unknown type may be another program's, and nothing was deleted"
        ).with_remedies(Argument("prefix", "Old:", "names the type whose objects to delete"))
    return _findings(backend, known, prefix=prefix, repair=repair, is_agreed=is_agreed, progress=progress)


def _findings(
    backend: Backend,
    known: Known,
    *,
    prefix: str,
    repair: Collection[Repairable],
    is_agreed: Callable[[Finding], bool],
    progress: Progress | None,
) -> Iterator[Finding]:
    def should_repair(finding: Finding) -> bool:
        return finding.kind in repair and is_agreed(finding)

    keys: list[Key] = []
    try:
        keys.extend(backend.keys(prefix))
    except CorruptDataError as error:  # after all that can be listed
        yield Finding("unreadable", prefix, None, str(error))
    examiner = Examiner(backend, known)
    examiner.listed |= {str(key) for key in keys if key.child is None}
    yield from _in_objects(examiner, read_ahead(backend, sorted(keys, key=str)), should_repair, progress)
    types = {key.root.partition(":")[0] for key in keys}
    for of_class in examiners(backend, known, types, with_gone="stale_entry" in repair):
        yield from _in_indexes(of_class, prefix, should_repair)
    if not prefix:
        for name, message in backend.strangers(known.type_names):
            yield Finding("misnamed", name, None, message)


def _in_objects(
    examiner: Examiner,
    objects: Iterable[tuple[Key, Entries]],
    should_repair: Callable[[Finding], bool],
    progress: Progress | None,
) -> Iterator[Finding]:
    """Yield the findings under each key."""
    for done, (key, entries) in enumerate(objects, 1):
        if not examiner.is_sound(key, entries):
            yield from reversed(list(_under(examiner, key, should_repair)))
        if progress:
            progress(done, str(key))


def _in_indexes(examiner: IndexExaminer, prefix: str, should_repair: Callable[[Finding], bool]) -> Iterator[Finding]:
    """Yield the findings in the indexes of a class."""
    for fault in examiner.faults():
        finding = Finding(fault.kind, fault.key, fault.place, fault.message)
        if fault.key.startswith(prefix):
            is_repaired = should_repair(finding) and examiner.repair(fault)
            if is_repaired or not fault.is_harmless:
                yield replace(finding, repaired=is_repaired)


def _under(examiner: Examiner, key: Key, should_repair: Callable[[Finding], bool]) -> Iterator[Finding]:
    """Yield the findings under one key, the last first, so that a repair doesn't move items still to be repaired."""
    for kind, place, message, repair in reversed(list(examiner.problems(key))):
        finding = Finding(kind, str(key), place, message)
        is_repaired = bool(repair and should_repair(finding) and repair())
        if is_repaired:
            examiner.listed.clear()  # it may have deleted a record
        yield replace(finding, repaired=is_repaired)
