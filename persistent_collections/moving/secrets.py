"""Hashes of passwords in exported content, recognized by their form, so that no class has to be known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from persistent_collections.backends.keys import Content
from persistent_collections.codecs.hashes import HASH_FORM
from persistent_collections.errors import ConfigurationError
from persistent_collections.moving.objects import StoredObject
from persistent_collections.remedies import Argument

Secrets: TypeAlias = Literal["keep", "omit"]
"""Whether to keep or omit the hashes of passwords."""

_HASH: Final = re.compile(f'"?{HASH_FORM}"?'.encode())


def settled(objects: Iterable[StoredObject], secrets: Secrets | None) -> Iterator[StoredObject]:
    """Yield the exported content of each of ``objects``.

    Raises:
        ConfigurationError: One holds a password's hash, and ``secrets`` does not choose its treatment.
    """
    if secrets == "keep":
        yield from objects
        return
    for stored in objects:
        parts = {key: part._replace(content=_without_hashes(part.content)) for key, part in stored.parts.items()}
        if parts == stored.parts:
            yield stored
        elif secrets == "omit":
            if left := {key: part for key, part in parts.items() if part.content}:
                yield stored._replace(parts=left)
        else:
            raise ConfigurationError(f"{stored.root!r} holds the hash of a password").with_remedies(
                Argument("secrets", "keep", "writes it, for a backup that you protect as you protect the store"),
                Argument("secrets", "omit", "leaves it out, for a file that you pass on"),
            )


def _without_hashes(content: Content) -> Content:
    match content:
        case dict():
            return {field: data for field, data in content.items() if not _HASH.fullmatch(data)}
        case list():
            return [data for data in content if not _HASH.fullmatch(data)]
        case _:
            return content
