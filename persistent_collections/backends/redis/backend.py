"""A store on Redis: one server, a Sentinel service or a cluster."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import ClassVar, Self

import redis

from persistent_collections.backends.base import (
    PAGE_SIZE,
    Backend,
    Change,
    Description,
    Entry,
    Key,
    MemberStore,
    SequenceStore,
    Shape,
)
from persistent_collections.backends.redis.changes import as_arguments, shape_of
from persistent_collections.backends.redis.failures import Subject, wrong_shape
from persistent_collections.backends.redis.mapping import RedisMapping
from persistent_collections.backends.redis.members import RedisMembers
from persistent_collections.backends.redis.node import Command
from persistent_collections.backends.redis.places import Place, place_of
from persistent_collections.backends.redis.scripts import APPLY, TIME_LEFT
from persistent_collections.backends.redis.sequence import RedisSequence
from persistent_collections.backends.redis.server import Question
from persistent_collections.backends.redis.snapshots import read_descriptions, read_entries, shape_named
from persistent_collections.backends.redis.urls import ALL_OPTIONS, OPTIONS, RETRY_FOR_S, options_in, read_url
from persistent_collections.backends.urls import Option, StoreURL


class RedisBackend(Backend):
    """Keep mappings as hashes, sequences as lists and members as sets, a Redis key each.

    Cost: every method is one round trip, but for iteration (one a page, and on a cluster two more to see that no slot
    has moved meanwhile).

    Args:
        client: Its connections are used, and never closed; the retries it is set to are not, since they would execute
            a write twice.
        prefix: Stands before every name.
        codec: The name of the codec for values where nothing else chooses one.
        retry_for_s: Seconds for which what was not executed is tried again.

    Raises:
        ConfigurationError: The client is none of redis-py's, decodes replies or reads from replicas, or the prefix has
            braces.
    """

    ordered: ClassVar[bool] = False
    _owned = False
    options: ClassVar[Mapping[str, Option]] = ALL_OPTIONS

    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster,
        *,
        prefix: str = "",
        codec: str | None = None,
        retry_for_s: float = RETRY_FOR_S,
    ) -> None:
        place = place_of(client)
        self._client = client  # lest it be collected, which would close its pool
        shown = {name: text for name, text in (("prefix", prefix), ("codec", codec)) if text}
        self._open(place, place.url(shown), prefix, codec, retry_for_s)

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        place, own = read_url(url)
        backend = cls.__new__(cls)
        backend._owned = True
        backend._open(place, url.without_secrets(OPTIONS[url.scheme]), **own)
        return backend

    @classmethod
    def options_in(cls, url: StoreURL) -> Mapping[str, object]:
        return options_in(url)

    def _open(
        self, place: Place, url: str, prefix: str = "", codec: str | None = None, retry_for_s: float = RETRY_FOR_S
    ) -> None:
        self._place = place
        self._url = url
        self._prefix = prefix
        self.codec = codec
        self._server = place.serve(prefix, retry_for_s, self._page_sizes())

    @property
    def url(self) -> str:
        return self._url

    @property
    def identity(self) -> Hashable:
        return self._place.identity, self._prefix

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> RedisMapping:
        return RedisMapping(self._server, key, kin)

    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        return RedisSequence(self._server, key, kin)

    def members(self, key: Key, kin: Sequence[Key] = ()) -> MemberStore:
        return RedisMembers(self._server, key, kin)

    def exists(self, keys: Sequence[Key]) -> bool:
        return bool(keys) and bool(
            self._server.ask(Subject(str(keys[0])), ("EXISTS", *self._spelt(keys)), repeatable=True)
        )

    def exist(self, families: Sequence[Sequence[Key]]) -> list[bool]:
        questions: list[Question] = [(Subject(str(keys[0])), ("EXISTS", *self._spelt(keys))) for keys in families]
        return list(map(bool, self._server.ask_all(questions)))

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        return self._server.ask_all([self.mapping(key).reading(fields) for key, fields in wanted])

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return what each of ``keys`` holds, None if nothing, all at one moment. Cost: two round trips."""
        return read_entries(self._server, keys) if keys else []

    def describe(self, keys: Sequence[Key]) -> list[Description | None]:
        """Return what each of ``keys`` holds, None if nothing. Cost: two round trips, on a cluster two a node."""
        return read_descriptions(self._server, keys)

    def shape(self, key: Key) -> Shape | None:
        """Say what ``key`` holds, None if nothing.

        Raises:
            ForeignDataError: It holds a type that this package does not write.
        """
        return shape_named(self._server.ask(Subject(str(key)), ("TYPE", *self._spelt([key])), repeatable=True), key)

    def keys(self, prefix: str) -> Iterator[Key]:
        seen: set[bytes] = set()
        for page in self._server.scan_names(Subject(prefix, is_listing=True), self._matching(prefix)):
            new = set(page) - seen  # SCAN repeats
            seen |= new
            keys = map(self._server.names.read, new)
            yield from (key for key in keys if key and key.root.startswith(prefix))

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        starts = tuple(start for name in type_names for start in self._server.names.starts(f"{name}:"))
        seen: set[bytes] = set()
        for page in self._server.scan_names(Subject("", is_listing=True), self._matching("")):
            new = {name for name in page if name.startswith(starts)} - seen
            seen |= new
            for name in sorted(new):
                if self._server.names.read(name) is None:
                    yield name.decode(errors="backslashreplace"), "a Redis key that is spelt as no object's is"

    def apply(self, changes: Sequence[Change], kin: Sequence[Key] = ()) -> list[bool]:
        if not changes:
            return []
        keys = list(dict.fromkeys([*kin, *(change.key for change in changes)]))
        arguments, items = as_arguments(changes, keys)
        subject, kinship = Subject(str(changes[0].key)), len(set(kin))
        reply = self._server.run_with(subject, APPLY, self._spelt(keys), (kinship, *arguments), items)
        if isinstance(reply, int):
            refused = changes[reply - 1]
            raise wrong_shape(Subject(str(refused.key), shape_of(refused)))
        return list(map(bool, reply))

    def ttl(self, keys: Sequence[Key]) -> float | None:
        if not keys:
            return None
        left = self._server.run(Subject(str(keys[0])), TIME_LEFT, self._spelt(keys), (), repeatable=True)
        return None if left < 0 else float(left / 1000)

    def close(self) -> None:
        if self._owned:
            self._place.close()

    def _page_sizes(self) -> Iterator[int]:
        """Return how much each step of an iteration asks for, iteration by iteration."""
        return repeat(PAGE_SIZE)

    def _matching(self, prefix: str) -> Command:
        """Return the options that let ``SCAN`` leave out most of what does not start with ``prefix``."""
        return ("MATCH", self._server.names.pattern(prefix))

    def _spelt(self, keys: Sequence[Key]) -> list[bytes]:
        return [self._server.names.spell(key) for key in keys]
