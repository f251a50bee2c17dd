"""Names of types, ids and children as names of files, and back.

A file name is the name itself, except for characters that some file system refuses or misinterprets: these are
percent-encoded, as the bytes of their UTF-8. In ids, ``:``, ``%``, ``{`` and ``}`` are percent-encoded already. This
module never encodes these four, so it doesn't decode them either. Any other ``%`` is ``%_``. A name that is too long
for a file system is cut, and ends in ``%~`` and the hash of the whole.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final
from unicodedata import is_normalized
from urllib.parse import unquote

LONGEST_BYTES: Final = 240
"""The limit of a file name without its suffix; the usual file systems allow 255 with it."""

_HEAD_LENGTH: Final = 48
_SHORTENED: Final = re.compile(rf".{{1,{_HEAD_LENGTH}}}%~[0-9a-f]{{32}}", re.DOTALL)

# In this order: what Windows refuses and control characters, a leading dot, what Windows drops at the end, what would
# make a directory's name a file's, the first letter of a device of Windows, a % of no meaning here.
_SPECIAL: Final = re.compile(
    r"""
    [\x00-\x1f\x7f-\x9f\ud800-\udfff<>"/\\|?*]
    | \A\.
    | [. ]\Z
    | \.(?=json\Z)
    | (?i:\A(?=(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)[ ]*(?:\.|\Z))[a-z])
    | %(?!3A|25|7B|7D)
    """,
    re.VERBOSE,
)
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_MAYBE_FOLDED: Final = re.compile(r"%(?:[0-9A-F]{2}|_)|[A-Z]|[^\x00-\x7f]")

# File systems that fold case compare without these; Unicode calls them Default_Ignorable_Code_Point.
_IGNORED: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_OURS: Final = re.compile(r"%(3A|25|7B|7D)")
_NAME: Final = re.compile(r"(?:[^:%{}]|%(?:3A|25|7B|7D|_))+")


def to_file_name(name: str, *, folds_case: bool) -> str:
    """Return the file name, without a suffix, that is unique to ``name``."""
    text = _SPECIAL.sub(_escape, name)
    if folds_case:
        text = _MAYBE_FOLDED.sub(_escape_folded, text)
    if not is_normalized("NFC", text):
        text = _NOT_ASCII.sub(_escape, text)
    return text if len(text.encode()) <= LONGEST_BYTES else _shorten(text, name)


def from_file_name(text: str) -> str | None:
    """Return the name of ``text``, which is not shortened, or None.

    Several texts can have one name; :func:`to_file_name` returns the library's.
    """
    try:
        name = unquote(_OURS.sub(r"%25\1", text), errors="surrogatepass")
    except UnicodeDecodeError:
        return None
    return name.replace("%_", "%") if _NAME.fullmatch(name) else None


def is_shortened(text: str) -> bool:
    """Return whether ``text`` holds only the head and the hash of a name."""
    return _SHORTENED.fullmatch(text) is not None


def _shorten(text: str, name: str) -> str:
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{text[:_HEAD_LENGTH]}%~{digest}"


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character == "%":
        return "%_"
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _escape_folded(found: re.Match[str]) -> str:
    """Escape a character unless all characters of equal case-folding fold to it."""
    text = found[0]
    stays = text == text.casefold() == text.upper().casefold() and not _IGNORED.match(text)
    return text if stays or text.startswith("%") else _escape(found)
