"""Show an object in IPython and in notebooks: its first parts, read in one step, without secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, Final

from persistent_collections.codecs.base import Codec

SHOWN: Final = 20
"""The maximum number of parts of an object that are shown."""
WIDTH: Final = 100
"""The maximum number of characters of a value that are shown."""


class Note(str):
    """A text shown in place of a value."""

    __slots__ = ()

    __repr__ = str.__str__


HIDDEN: Final = Note("hidden")


def values_of(codec: Codec, decoded: Callable[[], Iterable[Any]]) -> Iterable[Any]:
    """Return the values that a codec decodes, or a note for each if they are secret."""
    return repeat(HIDDEN) if codec.secret else decoded()


def mimebundle(title: str, first: Callable[[int], Iterable[Sequence[Any]]]) -> dict[str, str]:
    """Return an object as plain text and as HTML.

    Args:
        title: The ``repr`` of the object.
        first: Reads a number of parts, each a value, or a label and a value.
    """
    from html import escape  # noqa: PLC0415 - it takes long, and few need it

    try:
        parts = [[_text(cell) for cell in part] for part in first(SHOWN + 1)]
    except Exception as error:  # noqa: BLE001 - a display must not end a session, whatever is raised
        note = f"{title} (not shown: {type(error).__name__}: {' '.join(str(error).split())})"
        return {"text/plain": note, "text/html": f"<p>{escape(note)}</p>"}
    more = ["…"] if len(parts) > SHOWN else [] if parts else ["empty"]
    lines = [title, *(f"  {': '.join(part)}" for part in parts[:SHOWN]), *(f"  {note}" for note in more)]
    return {"text/plain": "\n".join(lines), "text/html": "".join(_html(title, parts[:SHOWN], more))}


def _text(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _html(title: str, parts: Iterable[Sequence[str]], more: Iterable[str]) -> Iterator[str]:
    from html import escape  # noqa: PLC0415 - it takes long, and few need it

    yield f"<p>{escape(title)}</p><table>"
    for *label, value in parts:
        yield f"<tr>{''.join(f'<th>{escape(text)}</th>' for text in label)}<td>{escape(value)}</td></tr>"
    yield "</table>"
    yield from (f"<p>{escape(note)}</p>" for note in more)
