"""Data and texts that stores tend to misinterpret."""

from __future__ import annotations

import json
from typing import Any, Final

from persistent_collections.backends.base import Medium

# Compact JSON texts, so that every medium accepts them.
A: Final = b'"a"'
B: Final = b"2"
C: Final = b"[3]"
D: Final = b'{"d":4}'

_JSON_VALUES: Final[tuple[Any, ...]] = (
    *("", " ", "a", "null", "a  b: [1, 2]", "\n", "\0", "\x7f", "\u2028", '"', "\\", "\\u0041", "/", "<b>&amp;</b>"),
    *("\u00e9", "e\u0301", "\N{GRINNING FACE}", "__DELETED__", "\ufeff"),
    *(None, True, False, 0, 1, -1, 1.0, -0.0, 1e16, 1e-7, 0.1, 2**53 + 1, -(2**63), 2**200),
    *([], {}, [[]], [None], {"": {}}, {"b": 1, "a": [1, 2.5, None]}, {"$bytes": "AA=="}, {"$ref": "Thing:y"}),
)
_BYTES: Final = (
    *(b"", b"\0", b"\0\0", b"a\0b", b"\xff\xfe\x80", b"\xc3\x28", bytes(range(256)), b" ", b"\r\n", b"a\n"),
    *(b"None", b"nil", b"__DELETED__", b"$-1\r\n", b"*0\r\n", b"+OK", b"007", b"'", b"--", b"\x80\x04N."),
)
# Texts that look like the start of JSON, of a script or of a pattern; texts that differ only in case or Unicode form.
_TEXTS: Final = (
    *(" ", "  ", ".", "..", "...", "/", "//", "\\", "a/b", "a\\b", "../../up", "/etc/passwd", "~", "-", "--help"),
    *(
        "*",
        "?",
        "[a]",
        "[ab]*",
        "[^a]",
        "\\*",
        "a*",
        "a_b",
        "a.b",
        "a_",
        "_",
        "$",
        "$x",
        "'",
        '"',
        "`",
        "';--",
        "#",
        "&",
    ),
    *("\n", "\r\n", "\t", "\0", "a\0b", "\x1b[0m", "\x7f", "\x85", "\u2028", "\ufeff", "\u200b", "\u202e", "\ufffd"),
    *("A", "a", "AB", "Ab", "aB", "ab", "\u00e9", "e\u0301", "\u00c9", "\u00df", "ss", "\u017f", "s", "\u0130", "i"),
    *("\u0131", "\u212a", "K", "k", "\uff41", "\u03c3", "\u03c2", "\N{GRINNING FACE}", "\U0010ffff"),
    *("CON", "con", "Con", "nul", "aux.txt", "COM1", "a.", "a ", " a", "a.json", "a.JSON", ".json", ".store", ".git"),
    *("0", "00", "1", "01", "-0", "1.0", "null", "None", "true", "id", "__class__", "ttl", "meta", "x,y", "x|y", "x=y"),
    *("n" * 1000, "n" * 999 + "m", "N" * 1000, "n" * 100, "\u00e9" * 1000, "e\u0301" * 500, "\N{GRINNING FACE}" * 1000),
)

IDS: Final = (*_TEXTS, "%3A", "%253A", "%253a", "%25", "%252F", "%25252F", "%7B%7D", "a%3Ab", "a%3A")
"""Ids as they are written in a root: only ``:``, ``%``, ``{`` and ``}`` are percent-encoded there."""

CHILDREN: Final = _TEXTS
"""Names of child collections: any text except the empty one and those with ``:``, ``%``, ``{`` or ``}``."""

FIELDS: Final = ("", *_TEXTS, ":", "a:b", "%", "%2F", "%2f", "%%", "{", "}", "{}", "{a}", "{a}:b", "%3A")
"""Fields of a mapping and members of a set: any text."""


def samples(medium: Medium) -> list[bytes]:
    """Return distinct data that fit ``medium``."""
    texts = [json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() for value in _JSON_VALUES]
    return texts if medium == "json" else list(dict.fromkeys([*texts, *_BYTES]))


def not_integers(medium: Medium) -> list[bytes]:
    """Return data that fit ``medium`` and are not the decimal digits of a signed 64-bit integer."""
    texts = [b"1.0", b"1.5", b"1e3", b"-0", b'"1"', b"null", b"true", b"[1]", b"9223372036854775808"]
    texts += [b"-9223372036854775809", b"18446744073709551616", b"9" * 400]
    other = [
        b"",
        b" ",
        b"a",
        b"+1",
        b" 1",
        b"1 ",
        b"1\n",
        b"\n1",
        b"1\0",
        b"007",
        b"00",
        b"-01",
        b"--1",
        b"-",
        b"1_000",
    ]
    return texts if medium == "json" else [*texts, *other, b"0x10", b"inf", "\u0661".encode()]
