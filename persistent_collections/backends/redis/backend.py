"""A store on Redis: one server, a Sentinel service or a cluster."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from typing import Any, ClassVar, Self

import redis

from persistent_collections.backends.base import PAGE_SIZE, Backend, Examined, Found, Wanted, Whole
from persistent_collections.backends.changes import Change, Condition
from persistent_collections.backends.indexes import Indexing, IndexStore, Support
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.redis.claims import Claims
from persistent_collections.backends.redis.cluster import Cluster
from persistent_collections.backends.redis.deployments import Deployment
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.given import read_client
from persistent_collections.backends.redis.indexes import INDEXING, Entering, indexing_of
from persistent_collections.backends.redis.mapping import reading
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import COMMIT
from persistent_collections.backends.redis.shapes import HANDLES
from persistent_collections.backends.redis.snapshots import examine, look_at, read_entries, read_objects
from persistent_collections.backends.redis.steps import Steps
from persistent_collections.backends.redis.tokens import Once, keeps_all
from persistent_collections.backends.redis.urls import ALL_OPTIONS, OPTIONS, RETRY_FOR_S, options_in, read_url
from persistent_collections.backends.shapes import Shape
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import BackendError, OutcomeUnknown


class RedisBackend(Backend):
    """Store mappings as hashes, sequences as lists and members as sets, one Redis key each.

    ::

        client = redis.Redis(host="localhost", port=6379)
        configure({"backends": {"default": RedisBackend(client, prefix="app1:")}})    # as redis://localhost?prefix=app1:
        configure({})

    Cost: every method is one round trip. Iteration takes one per page, and on a cluster two more, to check that no slot
    has moved meanwhile.

    Args:
        client: A client of redis-py. Its connections are used, and never closed. Its retries are not used, since they
            could execute a write twice.
        prefix: The start of every name.
        codec: The name of the codec for values if nothing else chooses one.
        retry_for_s: Seconds for which unexecuted commands are retried.

    Raises:
        ConfigurationError: The client is not redis-py's, is a pipeline, decodes replies or reads from replicas; or the
            prefix has braces.
    """

    ordered: ClassVar[bool] = False
    steps_at_once: ClassVar[int] = 100
    yields: ClassVar[bool] = True
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
        given = read_client(client)
        self._client = client  # keeps it alive: its collection would close its pool
        shown = {name: text for name, text in (("prefix", prefix), ("codec", codec)) if text}
        self._open(given.deployment, given.url(shown), prefix, codec, retry_for_s)

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        deployment, own = read_url(url)
        backend = cls.__new__(cls)
        backend._owned = True
        backend._open(deployment, url.without_secrets(OPTIONS[url.scheme]), **own)
        return backend

    @classmethod
    def options_in(cls, url: StoreURL) -> Mapping[str, object]:
        return options_in(url)

    def _open(
        self,
        deployment: Deployment,
        url: str,
        prefix: str = "",
        codec: str | None = None,
        retry_for_s: float = RETRY_FOR_S,
    ) -> None:
        self._deployment = deployment
        self._identity = deployment.identity, prefix
        self._url = url
        self.codec = codec
        self._server = deployment.serve(prefix, retry_for_s, self._page_sizes())
        self.several_roots = self._server.several_roots
        self._steps = Steps(self._server, url, retry_for_s)
        self._entering = (
            Claims(self._server, url, self._steps.run)
            if isinstance(self._server, Cluster)
            else Entering(self._server, self._steps.run)
        )

    @property
    def url(self) -> str:
        return self._url

    @property
    def indexing(self) -> Support:
        return "indexes"

    @property
    def identity(self) -> Hashable:
        return self._identity

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        return HANDLES[shape](self._server, key, self.url, is_record=is_record)

    def look(self, keys: Sequence[Key], *, sizes: bool = False) -> list[Found | None]:
        """Return the properties of each of ``keys``. Cost: 1 round trip, 2 with ``sizes``; on a cluster per node."""
        return look_at(self._server, keys, sizes=sizes)

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        return self._server.ask_all([reading(self._server.names, key, fields) for key, fields in wanted])

    def examine(self, wanted: Sequence[Wanted]) -> list[Examined | None]:
        """Return parts of each of some records. Cost: one round trip, on a cluster one per node."""
        return examine(self._server, wanted)

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return the entry of each of ``keys``, None if nothing, all at one moment. Cost: two round trips."""
        return read_entries(self._server, keys) if keys else []

    def snapshots(self, objects: Sequence[Sequence[Key]]) -> list[Whole]:
        """Return the entries of the first of some objects. Cost: one round trip, on a cluster one per node."""
        return read_objects(self._server, objects)

    def keys(self, prefix: str, shape: Shape | None = None) -> Iterator[Key]:
        options = (*self._matching(prefix), *(("TYPE", HANDLES[shape].type_name) if shape else ()))
        seen: set[bytes] = set()
        for page in self._server.scan_names(Subject(prefix, is_listing=True), options):
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
                if not self._server.names.is_ours(name):
                    yield name.decode(errors="backslashreplace"), "a Redis key whose name is not one of an object"

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        """Make changes in one step. On a cluster, all keys must be in one slot, as the keys of one root are.

        Raises:
            BackendError: They are not in one slot; nothing was done.
        """
        parts = (*conditions, *changes)
        if not INDEXING.isdisjoint(map(type, parts)) and any(map(indexing_of, parts)):
            return self._entering.commit(conditions, changes)
        return self._steps.make(conditions, changes)

    def commit_each(self, steps: Sequence[tuple[Sequence[Condition], Sequence[Change]]]) -> list[bool]:
        """Make several steps. Cost: one round trip, on a cluster one per node; with entries, at least one per step."""
        parts = (part for conditions, changes in steps for part in (*conditions, *changes))
        if len(steps) < 2 or any(map(indexing_of, parts)):  # noqa: PLR2004 - nothing is saved
            return super().commit_each(steps)
        return list(map(bool, self._steps.run_each(COMMIT, steps)))

    def commit_once(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        """Make changes in one step, with a token by which the step is recognized if it has to be sent again.

        Cost: one round trip; if a reply is lost, one more to ask whether the server may have evicted the token.

        Raises:
            OutcomeUnknown: The server may have evicted the token or did not answer for long, or it is a cluster.
        """
        if not (changes and self.several_roots):
            return self.commit(conditions, changes)
        token = self._server.names.beside(self._server.names.spell(changes[0].key))
        try:
            return self._commit_by(Once(token, repeatable=False), conditions, changes)
        except OutcomeUnknown as error:
            unknown = error
        with suppress(BackendError):  # ``unknown`` has more detail
            if keeps_all(self._server):
                return self._commit_by(Once(token, repeatable=True), conditions, changes)
        raise unknown

    def _commit_by(self, once: Once, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        is_entering = any(map(indexing_of, (*conditions, *changes)))
        if is_entering and isinstance(self._entering, Entering):
            return self._entering.commit(conditions, changes, once)
        return bool(self._steps.run(COMMIT, conditions, changes, once=once))

    def index(self, indexing: Indexing) -> IndexStore:
        return self._entering.index(indexing)

    def takes_together(self, keys: Sequence[Key]) -> bool:
        return self._server.share_a_node(list(map(self._server.names.spell, keys)))

    def close(self) -> None:
        if self._owned:
            self._deployment.close()

    def _page_sizes(self) -> Iterator[int]:
        """Return the page size of each iteration: how many elements each of its steps asks for."""
        return repeat(PAGE_SIZE)

    def _matching(self, prefix: str) -> Command:
        """Return the options with which ``SCAN`` skips most names that don't start with ``prefix``."""
        return ("MATCH", self._server.names.pattern(prefix))
