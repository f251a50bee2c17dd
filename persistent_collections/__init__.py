"""Dicts, lists, sets and records that look like Python's own and live in a store."""

from typing import TYPE_CHECKING

from persistent_collections.lazy import lazily

if TYPE_CHECKING:
    from persistent_collections.backends.base import Backend
    from persistent_collections.backends.registry import register_backend
    from persistent_collections.codecs.base import Codec
    from persistent_collections.codecs.registry import get_codec, register_codec
    from persistent_collections.codecs.types.lowering import lift, lower
    from persistent_collections.codecs.types.registry import register_type
    from persistent_collections.collections.dicts import PersistentDict
    from persistent_collections.collections.lists import PersistentList
    from persistent_collections.collections.objects import PersistentObject
    from persistent_collections.collections.sets import PersistentSet
    from persistent_collections.config import configure, connect, current_backend, use_backend
    from persistent_collections.errors import (
        BackendError,
        BackendUnavailable,
        ConfigurationError,
        ConflictError,
        CorruptDataError,
        DecodeError,
        EncodeError,
        FormError,
        MutableValueWarning,
        NoIndexError,
        NotUnique,
        ObjectExists,
        ObjectNotFound,
        OutcomeUnknown,
        PageTokenError,
        PersistentCollectionsError,
        SchemaChangedError,
        SlowHabitWarning,
        StillReferenced,
        TransactionError,
        UnknownFieldError,
        WrongShapeError,
    )
    from persistent_collections.marks import formerly, indexed, on_delete, unique
    from persistent_collections.migrating.migrating import Migrated, migrate
    from persistent_collections.records.conditions import at_least, between, less_than, one_of, starts_with
    from persistent_collections.records.finding import Query
    from persistent_collections.records.making import make_record
    from persistent_collections.records.record import Record, child, fetch
    from persistent_collections.records.schema import Password, codec, field, stored_as
    from persistent_collections.transactions.blocks import on_commit, transaction, transactional
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "backends.base": "Backend",
            "backends.registry": "register_backend",
            "codecs.base": "Codec",
            "codecs.registry": "get_codec register_codec",
            "codecs.types.lowering": "lift lower",
            "codecs.types.registry": "register_type",
            "collections.dicts": "PersistentDict",
            "collections.lists": "PersistentList",
            "collections.objects": "PersistentObject",
            "collections.sets": "PersistentSet",
            "config": "configure connect current_backend use_backend",
            "errors": (
                "BackendError BackendUnavailable ConfigurationError ConflictError CorruptDataError DecodeError "
                "EncodeError FormError MutableValueWarning NoIndexError NotUnique ObjectExists ObjectNotFound "
                "OutcomeUnknown PageTokenError PersistentCollectionsError SchemaChangedError SlowHabitWarning "
                "StillReferenced TransactionError UnknownFieldError WrongShapeError"
            ),
            "marks": "formerly indexed on_delete unique",
            "migrating.migrating": "Migrated migrate",
            "records.conditions": "at_least between less_than one_of starts_with",
            "records.finding": "Query",
            "records.making": "make_record",
            "records.record": "Record child fetch",
            "records.schema": "Password codec field stored_as",
            "transactions.blocks": "on_commit transaction transactional",
        },
    )

__all__ = [
    "Backend",
    "BackendError",
    "BackendUnavailable",
    "Codec",
    "ConfigurationError",
    "ConflictError",
    "CorruptDataError",
    "DecodeError",
    "EncodeError",
    "FormError",
    "Migrated",
    "MutableValueWarning",
    "NoIndexError",
    "NotUnique",
    "ObjectExists",
    "ObjectNotFound",
    "OutcomeUnknown",
    "PageTokenError",
    "Password",
    "PersistentCollectionsError",
    "PersistentDict",
    "PersistentList",
    "PersistentObject",
    "PersistentSet",
    "Query",
    "Record",
    "SchemaChangedError",
    "SlowHabitWarning",
    "StillReferenced",
    "TransactionError",
    "UnknownFieldError",
    "WrongShapeError",
    "at_least",
    "between",
    "child",
    "codec",
    "configure",
    "connect",
    "current_backend",
    "fetch",
    "field",
    "formerly",
    "get_codec",
    "indexed",
    "less_than",
    "lift",
    "lower",
    "make_record",
    "migrate",
    "on_commit",
    "on_delete",
    "one_of",
    "register_backend",
    "register_codec",
    "register_type",
    "starts_with",
    "stored_as",
    "transaction",
    "transactional",
    "unique",
    "use_backend",
]
