"""Remedies of errors: objects, which the library writes as Python and the command line as options."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Advice(msgspec.Struct, frozen=True):
    """Something to do, in the same words in Python and on the command line."""

    text: str

    def __str__(self) -> str:
        return self.text


class ImportModule(msgspec.Struct, frozen=True):
    """Import a module, such as the one that defines a class."""

    text: str

    def __str__(self) -> str:
        return self.text


class NameCodec(msgspec.Struct, frozen=True):
    """Say which codec wrote the values of the collection under ``key``."""

    key: str

    def __str__(self) -> str:
        return f"name its codec: codec={{{self.key!r}: 'json'}}"


class Argument(msgspec.Struct, frozen=True):
    """Call again with an argument; ``effect`` describes its effect."""

    name: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.name}={self.value!r} {self.effect}"


class Scan(msgspec.Struct, frozen=True):
    """Read all records: ``query`` is the query that no index answers."""

    query: str

    def __str__(self) -> str:
        return f"or read all of them: {self.query}.scan()"


Remedy: TypeAlias = Advice | ImportModule | NameCodec | Argument | Scan
"""The remedies of an error, written as Python."""
