"""Dicts, lists, sets and records that look like Python's own and live in a store."""

from persistent_collections.backends.base import Backend
from persistent_collections.backends.urls import register_backend
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.lowering import lift, lower
from persistent_collections.codecs.registry import get_codec, register_codec
from persistent_collections.codecs.types import register_type
from persistent_collections.config import configure, connect, current_backend, use_backend
from persistent_collections.dicts import PersistentDict
from persistent_collections.errors import (
    BackendError,
    BackendUnavailable,
    ConfigurationError,
    ConflictError,
    CorruptDataError,
    DecodeError,
    EncodeError,
    ObjectExists,
    ObjectNotFound,
    OutcomeUnknown,
    PersistentCollectionsError,
    SlowHabitWarning,
    UnknownFieldError,
    WrongShapeError,
)
from persistent_collections.lists import PersistentList
from persistent_collections.objects import PersistentObject
from persistent_collections.records import Record, child, fetch, make_record
from persistent_collections.schema import Password, codec, stored_as
from persistent_collections.sets import PersistentSet

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
    "ObjectExists",
    "ObjectNotFound",
    "OutcomeUnknown",
    "Password",
    "PersistentCollectionsError",
    "PersistentDict",
    "PersistentList",
    "PersistentObject",
    "PersistentSet",
    "Record",
    "SlowHabitWarning",
    "UnknownFieldError",
    "WrongShapeError",
    "child",
    "codec",
    "configure",
    "connect",
    "current_backend",
    "fetch",
    "get_codec",
    "lift",
    "lower",
    "make_record",
    "register_backend",
    "register_codec",
    "register_type",
    "stored_as",
    "use_backend",
]
