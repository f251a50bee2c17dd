"""Fields, members and names as the UTF-8 they are in Redis."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from persistent_collections.errors import CorruptDataError, EncodeError


def encode(text: str) -> bytes:
    """Return ``text`` as UTF-8.

    Raises:
        EncodeError: It has a lone surrogate, which UTF-8 has no form for.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise EncodeError(
            f"the text has a lone surrogate at position {error.start}, which UTF-8 cannot hold; "
            "encode it with errors='replace' or leave it out"
        ) from None


def encode_all(texts: Collection[str]) -> Sequence[bytes | str]:
    """Return ``texts`` as a command takes them; what is ASCII the client encodes, faster than Python can."""
    return list(texts) if "".join(texts).isascii() else list(map(encode, texts))


def decode_all(texts: Iterable[bytes], name: str) -> list[str]:
    """Return the fields or members of what is stored under ``name``.

    Raises:
        CorruptDataError: One is not UTF-8, so that another program must have put it there.
    """
    try:
        return list(map(bytes.decode, texts))
    except UnicodeDecodeError:
        raise CorruptDataError(
            f"{name!r} has a field or member that is not UTF-8; another program put it there: remove it with redis-cli"
        ) from None


def first_seen(names: list[str], seen: set[str]) -> list[str]:
    """Return those of ``names`` that are not in ``seen``, each once, and add them to it."""
    new = names if seen.isdisjoint(names) else [name for name in names if name not in seen]
    known = len(seen)
    seen.update(new)
    return new if len(seen) == known + len(new) else list(dict.fromkeys(new))


def fields_of(reply: Mapping[bytes, bytes] | Sequence[bytes], name: str) -> dict[str, bytes]:
    """Return the fields in a reply to ``HGETALL``, of either protocol, about what is stored under ``name``."""
    found = reply if isinstance(reply, Mapping) else dict(zip(reply[::2], reply[1::2], strict=True))
    return dict(zip(decode_all(found, name), found.values(), strict=True))
