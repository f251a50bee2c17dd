"""Hashes of passwords in what is exported, told by their form, so that no class has to be known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from persistent_collections.backends.base import Content
from persistent_collections.codecs.hints import BCRYPT_FORM
from persistent_collections.errors import ConfigurationError
from persistent_collections.moving.objects import StoredObject

Secrets: TypeAlias = Literal["keep", "omit"]
"""What becomes of the hashes of passwords."""

_HASH: Final = re.compile(f'"?{BCRYPT_FORM}"?'.encode())


def settled(objects: Iterable[StoredObject], secrets: Secrets | None) -> Iterator[StoredObject]:
    """Yield what is to be exported of each of ``objects``.

    Raises:
        ConfigurationError: One holds a password's hash, and ``secrets`` does not say what becomes of it.
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
            raise ConfigurationError(
                f"{stored.root!r} holds the hash of a password; say secrets='keep' for a backup, to be kept as the "
                "store is kept, or secrets='omit' for a file to hand on"
            )


def _without_hashes(content: Content) -> Content:
    match content:
        case dict():
            return {field: data for field, data in content.items() if not _HASH.fullmatch(data)}
        case list():
            return [data for data in content if not _HASH.fullmatch(data)]
        case _:
            return content
