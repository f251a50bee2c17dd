"""A record as plain JSON values, for answers to other programs: no secrets, and references as ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from persistent_collections.codecs.types.registry import tagged
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.errors import EncodeError
from persistent_collections.records.core import RecordCore
from persistent_collections.records.forms import codec_of_text
from persistent_collections.records.schema import Password


def plain(core: RecordCore, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the id and the fields of a record as plain JSON values, passwords left out.

    Args:
        core: The record.
        values: The value of each field.

    Raises:
        EncodeError: A value has no JSON form, such as a dict with tuples as keys.
    """
    fields = core.info.schema().fields
    shown = {name: value for name, value in values.items() if fields[name].declared is not Password}
    try:
        return {"id": core.id, **as_json(shown)}
    except TypeError:
        return {"id": core.id, **{name: _of_field(core, name, value) for name, value in shown.items()}}


def _of_field(core: RecordCore, name: str, value: Any) -> Any:
    """Return the JSON form of a field's value; if JSON has no form of its type, the text of its codec."""
    try:
        return as_json(value)
    except TypeError as error:
        codec = codec_of_text(core.field(name), core.now().backend)
        if codec is None:
            raise core.located(name, error) from error
        return codec.encode(value).decode()


def as_json(value: Any) -> Any:
    """Return the value that a program reads from the JSON of ``value``: nan and infinities become None."""
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=_plainer))


def _plainer(value: Any) -> Any:
    """Return a value closer to JSON, for a type that ``msgspec`` does not support."""
    if isinstance(value, PersistentObject):
        return value.id
    if isinstance(value, complex):
        return str(value)
    if hasattr(value, "model_dump"):  # of pydantic
        return value.model_dump(mode="json")
    try:
        return tagged(value, None)[1]
    except EncodeError as error:
        raise TypeError(f"{error}; do not show this field") from None
