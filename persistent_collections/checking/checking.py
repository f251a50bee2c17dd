"""What users call: a walk over a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import get_args

from persistent_collections.backends.base import Backend, Key
from persistent_collections.checking.examiner import Examiner
from persistent_collections.checking.findings import Finding, Repairable
from persistent_collections.config import BackendSource, choose, resolve
from persistent_collections.errors import ConfigurationError
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
    import them all before you ask to repair it. Of a type that none has, that is done only where ``prefix`` names the
    type: in a store that is shared, objects of other programs look no different.

    To repair is to delete: the value, key or member that is not read; the reference, where it is all of a value, for
    others are left to you; the field, the child, the object. It is done before its finding is yielded and, but for
    whole keys, only while the store holds what was found.

    Cost: a few round trips a key, and one a record that is referred to; the names of all keys, and the content of one,
    in memory.

    Args:
        backend: What ``backend=`` takes.
        prefix: Check only objects whose key starts with it.
        repair: The kinds of findings to repair; ``"unknown_type"`` with a prefix such as ``"Old:"``.
        codec: How values are written of which neither a class nor the URL says it, as for
            :func:`persistent_collections.moving.copy`; ``json`` where it says nothing.
        classes: Classes to know beside those that have been imported.

    Raises:
        ValueError: Findings of a kind cannot be repaired.
        ConfigurationError: Those of unknown types are to be, and the prefix names none.
    """
    store = resolve(choose(backend))
    return examine(store, Known(classes, codec, store.codec), prefix=prefix, repair=repair)


def examine(
    backend: Backend,
    known: Known,
    *,
    prefix: str,
    repair: Collection[Repairable],
    is_agreed: Callable[[Finding], bool] = lambda _: True,
) -> Iterator[Finding]:
    """Yield what is wrong in a store, as :func:`check` does.

    Args:
        backend: The store.
        known: The classes.
        prefix: As for :func:`check`.
        repair: As for :func:`check`.
        is_agreed: Asked about each finding that would be repaired.
    """
    for kind in repair:
        if kind not in get_args(Repairable):
            raise ValueError(f"{kind!r} is nothing to repair; what can be is {', '.join(get_args(Repairable))}")
    if "unknown_type" in repair and ":" not in prefix:
        raise ConfigurationError(
            "what is of an unknown type may be another program's, and nothing was deleted: name the type whose objects "
            "are to go, as in prefix='Old:'"
        )
    return _findings(backend, known, prefix, lambda finding: finding.kind in repair and is_agreed(finding))


def _findings(backend: Backend, known: Known, prefix: str, is_to_go: Callable[[Finding], bool]) -> Iterator[Finding]:
    examiner = Examiner(backend, known)
    for key in sorted(backend.keys(prefix), key=str):
        yield from reversed(list(_under(examiner, key, is_to_go)))
    if not prefix:
        for name, message in backend.strangers(known.type_names):
            yield Finding("misnamed", name, None, message)


def _under(examiner: Examiner, key: Key, is_to_go: Callable[[Finding], bool]) -> Iterator[Finding]:
    """Yield the findings under one key, the last first, so that a repair moves no item that is still to be repaired."""
    for kind, place, message, delete in reversed(list(examiner.problems(key))):
        finding = Finding(kind, str(key), place, message)
        yield replace(finding, deleted=bool(delete and is_to_go(finding) and delete()))
