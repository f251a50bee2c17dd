"""The stores, and the classes for writing or wrapping a store.

A simple store subclasses :class:`SimpleBackend`, a full one :class:`Backend`; docs/write-a-backend.md shows both. The
stores of this package, and the two wrappers that URLs ask for, are imported on first use.
"""

from typing import TYPE_CHECKING

from persistent_collections.lazy import lazily

if TYPE_CHECKING:
    from persistent_collections.backends.base import PAGE_SIZE, Backend, Examined, ForeignDataError, Found, Wanted
    from persistent_collections.backends.changes import (
        Change,
        ChangeMembers,
        Condition,
        ContentIs,
        Delete,
        Exists,
        FieldsAre,
        HeldBy,
        ItemsAre,
        Make,
        MembersAre,
        Push,
        Replace,
        SetDeadline,
        SetEntries,
        SetFields,
        SizeIs,
        Trim,
    )
    from persistent_collections.backends.fakeredis import FakeRedisBackend
    from persistent_collections.backends.handles import MappingStore, MemberStore, SequenceStore
    from persistent_collections.backends.indexes import (
        EntryKey,
        Hit,
        Index,
        Indexing,
        IndexStore,
        IndexUnbuiltError,
        Page,
        Place,
    )
    from persistent_collections.backends.json import JSONBackend
    from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content, Entry, Key
    from persistent_collections.backends.memory import MemoryBackend
    from persistent_collections.backends.paths import path_of
    from persistent_collections.backends.popped import last_part
    from persistent_collections.backends.redis import RedisBackend
    from persistent_collections.backends.registry import register_backend
    from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, SHAPES, Shape
    from persistent_collections.backends.simple import SimpleBackend, Step
    from persistent_collections.backends.sqlite import SQLiteBackend
    from persistent_collections.backends.urls import Option, StoreURL
    from persistent_collections.backends.wrappers.base import Operation, WrappedBackend
    from persistent_collections.backends.wrappers.spans import TracedBackend
    from persistent_collections.backends.wrappers.warnings import WatchedBackend
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "base": "PAGE_SIZE Backend Examined ForeignDataError Found Wanted",
            "changes": (
                "Change ChangeMembers Condition ContentIs Delete Exists FieldsAre HeldBy ItemsAre Make MembersAre "
                "Push Replace SetDeadline SetEntries SetFields SizeIs Trim"
            ),
            "fakeredis": "FakeRedisBackend",
            "handles": "MappingStore MemberStore SequenceStore",
            "indexes": "EntryKey Hit Index Indexing IndexStore IndexUnbuiltError Page Place",
            "json": "JSONBackend",
            "keys": "MARKER MARKER_DATA Content Entry Key",
            "memory": "MemoryBackend",
            "paths": "path_of",
            "popped": "last_part",
            "redis": "RedisBackend",
            "registry": "register_backend",
            "shapes": "MAPPING MEMBERS SEQUENCE SHAPES Shape",
            "simple": "SimpleBackend Step",
            "sqlite": "SQLiteBackend",
            "urls": "Option StoreURL",
            "wrappers.base": "Operation WrappedBackend",
            "wrappers.spans": "TracedBackend",
            "wrappers.warnings": "WatchedBackend",
        },
    )

__all__ = [
    "MAPPING",
    "MARKER",
    "MARKER_DATA",
    "MEMBERS",
    "PAGE_SIZE",
    "SEQUENCE",
    "SHAPES",
    "Backend",
    "Change",
    "ChangeMembers",
    "Condition",
    "Content",
    "ContentIs",
    "Delete",
    "Entry",
    "EntryKey",
    "Examined",
    "Exists",
    "FakeRedisBackend",
    "FieldsAre",
    "ForeignDataError",
    "Found",
    "HeldBy",
    "Hit",
    "Index",
    "IndexStore",
    "IndexUnbuiltError",
    "Indexing",
    "ItemsAre",
    "JSONBackend",
    "Key",
    "Make",
    "MappingStore",
    "MemberStore",
    "MembersAre",
    "MemoryBackend",
    "Operation",
    "Option",
    "Page",
    "Place",
    "Push",
    "RedisBackend",
    "Replace",
    "SQLiteBackend",
    "SequenceStore",
    "SetDeadline",
    "SetEntries",
    "SetFields",
    "Shape",
    "SimpleBackend",
    "SizeIs",
    "Step",
    "StoreURL",
    "TracedBackend",
    "Trim",
    "Wanted",
    "WatchedBackend",
    "WrappedBackend",
    "last_part",
    "path_of",
    "register_backend",
]
