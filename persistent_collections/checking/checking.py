"""What users call: a walk over a store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import get_args

from persistent_collections.backends.base import Backend, Key
from persistent_collections.checking.examiner import Examiner
from persistent_collections.checking.findings import Finding, Repairable
from persistent_collections.config import BackendSource, choose, resolve
from persistent_collections.known import CodecNames, Known
from persistent_collections.objects import PersistentObject


def check(
    backend: BackendSource,
    *,
    prefix: str = "",
    repair: Collection[Repairable] = (),
    codec: CodecNames = None,
    classes: Iterable[type[PersistentObject]] = (),
) -> Iterator[Finding]:
    """Yield what is wrong in a store; nothing is changed but what ``repair`` asks for.

    Classes are known once the modules that define them are imported. What no known class declares is reported, so
    import them all before you ask to repair it.

    To repair is to delete: the value, key or member that is not read; the reference, where it is all of a value, for
    others are left to you; the field, the child, the object. It is done before its finding is yielded and, but for
    whole keys, only while the store holds what was found.

    Cost: a few round trips a key, and one a record that is referred to; the names of all keys, and the content of one,
    in memory.

    Args:
        backend: What ``backend=`` takes.
        prefix: Check only objects whose key starts with it.
        repair: The kinds of findings to repair.
        codec: How values are written of which neither a class nor the URL says it, as for
            :func:`persistent_collections.moving.copy`; ``json`` where it says nothing.
        classes: Classes to know beside those that have been imported.

    Raises:
        ValueError: Findings of a kind cannot be repaired.
    """
    for kind in repair:
        if kind not in get_args(Repairable):
            raise ValueError(f"{kind!r} is nothing to repair; what can be is {', '.join(get_args(Repairable))}")
    store = resolve(choose(backend))
    known = Known(classes, codec, store.codec)
    return _findings(store, known, prefix, frozenset(repair))


def _findings(backend: Backend, known: Known, prefix: str, repair: frozenset[str]) -> Iterator[Finding]:
    examiner = Examiner(backend, known)
    for key in sorted(backend.keys(prefix), key=str):
        yield from reversed(list(_under(examiner, key, repair)))
    if not prefix:
        for name, message in backend.strangers(known.type_names):
            yield Finding("misnamed", name, None, message)


def _under(examiner: Examiner, key: Key, repair: frozenset[str]) -> Iterator[Finding]:
    """Yield the findings under one key, the last first, so that a repair moves no item that is still to be repaired."""
    for kind, place, message, delete in reversed(list(examiner.problems(key))):
        repaired = kind in repair and delete is not None and bool(delete())
        yield Finding(kind, str(key), place, message, repaired)
