"""Records in the answers of web frameworks: the hooks that pydantic, and with it FastAPI, calls on a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from persistent_collections.collections.binding import text_codec
from persistent_collections.records.core import RecordInfo
from persistent_collections.records.schema import Field, Password

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class PlainName(str):
    """The name of a field for which a record returns the plain value that was read together with all others."""

    value: Any

    def __new__(cls, name: str, value: Any) -> PlainName:
        made = super().__new__(cls, name)
        made.value = value
        return made


def core_schema(
    info: RecordInfo, handler: GetCoreSchemaHandler, read: Callable[[Any], Any], show: Callable[[Any], dict[str, Any]]
) -> CoreSchema:
    """Return how pydantic checks a record of a class, shows it and describes it.

    Args:
        info: The class.
        handler: Makes the schema of a field's type.
        read: Accepts a record to validate, and returns one with its fields read.
        show: Returns the plain values of such a record.
    """
    from pydantic_core import core_schema as schemas  # noqa: PLC0415 - whoever calls this has it

    def checked(value: Any) -> Any:
        if isinstance(value, info.cls):
            return read(value)
        name = info.cls.__name__
        raise ValueError(
            f"a {name} is needed, not {type(value).__name__}; a record is not made from JSON: take a pydantic model or "
            f"a form, and call {name}.create()"
        )

    fields = {
        "id": schemas.typed_dict_field(schemas.str_schema()),
        **{
            field.name: schemas.typed_dict_field(_field_schema(field, handler))
            for field in info.schema().fields.values()
            if not field.child and field.declared is not Password
        },
    }
    reference = f"{info.cls.__module__}.{info.cls.__qualname__}:{id(info.cls)}"
    described = schemas.typed_dict_schema(fields, ref=reference, cls_name=info.cls.__name__)
    return schemas.json_or_python_schema(
        json_schema=schemas.no_info_after_validator_function(checked, described),
        python_schema=schemas.no_info_plain_validator_function(checked),
        serialization=schemas.plain_serializer_function_ser_schema(show),
    )


def _field_schema(field: Field, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the schema of a field in a response: a reference is an id."""
    from pydantic import PydanticSchemaGenerationError, PydanticUndefinedAnnotation  # noqa: PLC0415 - as above
    from pydantic_core import core_schema as schemas  # noqa: PLC0415

    if text_codec(field.declared) == "reference":
        text = schemas.str_schema()
        return schemas.nullable_schema(text) if field.optional else text
    try:
        return handler.generate_schema(field.declared)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation):
        return schemas.any_schema()
