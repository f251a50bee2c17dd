"""URL, equality, closing, other handles, other backends, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import copy, deepcopy

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, SetDeadline
from persistent_collections.backends.keys import Key
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ConfigurationError
from persistent_collections.testing.backends.base import KEY, StoreTests, exists, put, shape_at
from persistent_collections.testing.backends.calls import ON_ABSENT, STARTS, WRITES
from persistent_collections.testing.backends.data import A, B


class LifecycleTests(StoreTests):
    """Tests of the backend as a whole."""

    def test_a_backend_says_its_medium_and_whether_it_keeps_order(self, backend: Backend) -> None:
        assert backend.medium in ("bytes", "json")
        assert isinstance(backend.ordered, bool)

    def test_the_url_can_be_parsed_and_has_no_password(self, backend: Backend) -> None:
        url = StoreURL.parse(backend.url)
        user = url.netloc.rpartition("@")[0]
        assert ":" not in user, "a URL that is shown has no password"
        assert not {"password", "passwd", "secret", "token"} & url.options.keys()

    def test_an_unknown_option_of_a_url_is_refused(self, backend: Backend) -> None:
        with pytest.raises(ConfigurationError):
            type(backend).from_url(StoreURL.parse(backend.url, {"no such option": "1"}))

    def test_the_repr_names_the_class_and_the_url(self, backend: Backend) -> None:
        assert repr(backend) == f"<{type(backend).__name__} {backend.url}>"

    def test_a_backend_equals_every_backend_on_its_store_and_nothing_else(self, backend: Backend) -> None:
        with self.reopen(backend) as other:
            assert other == backend
            assert hash(other) == hash(backend)
        assert backend != backend.url
        assert backend != object()
        assert {backend: 1}[backend] == 1

    def test_a_copy_of_a_backend_is_the_backend_and_a_pickle_is_refused(self, backend: Backend) -> None:
        assert copy(backend) is backend
        assert deepcopy([backend]) == [backend]
        with pytest.raises(TypeError, match="cannot be pickled"):
            backend.__reduce_ex__(4)  # what pickle calls; no module here imports pickle itself

    def test_making_a_handle_stores_nothing(self, backend: Backend) -> None:
        for make in (backend.mapping, backend.sequence, backend.members):
            make(KEY)
            make(Key(KEY.root, "child"))
        backend.mapping(KEY, is_record=True)
        assert not exists(backend, KEY)
        assert list(backend.keys("")) == []

    def test_after_close_the_next_operation_opens_again(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"f": A})
        backend.close()
        assert mapping.get("f") == A, "what is stored outlives close, and handles too"
        backend.close()
        backend.close()
        mapping.set_many({"g": B})
        backend.close()
        assert set(backend.keys("")) == {KEY}
        self.assert_stored(backend, KEY, {"f": A, "g": B})

    def test_a_backend_is_a_context_manager_that_closes(self, backend: Backend) -> None:
        with backend as entered:
            assert entered is backend
            backend.mapping(KEY).set_many({"f": A})
        assert backend.mapping(KEY).get("f") == A

    def test_handles_of_one_key_see_each_others_writes(self, backend: Backend) -> None:
        for shape, content in STARTS.items():
            key = Key(f"Thing:{shape}")
            handles = [getattr(backend, shape)(key) for _ in range(2)]
            handles[0].replace(content)
            assert handles[1].size() == len(content)
            handles[1].replace(type(content)())
            assert handles[0].size() == 0

    def test_another_backend_sees_every_write_at_once(self, backend: Backend) -> None:
        with self.reopen(backend) as other:
            for number in range(50):
                writer, reader = (backend, other) if number % 2 else (other, backend)
                writer.mapping(KEY).set_many({"n": b"%d" % number})
                assert reader.mapping(KEY).get("n") == b"%d" % number, "no read is older than the last write"

    def test_another_backend_does_what_this_one_does(self, backend: Backend) -> None:
        with self.reopen(backend) as other:
            for call in ON_ABSENT:
                assert call.run(other, KEY) == call.result, call.name
                self.assert_stored(backend, KEY, call.leaves)
                backend.commit([], [Delete(KEY)])
            for call in WRITES:
                put(other, KEY, STARTS[call.shape])
                call.run(backend, KEY)
                assert exists(other, KEY), call.name
                other.commit([], [SetDeadline(KEY, 0)])
                assert shape_at(backend, KEY) is None

    def test_one_backend_and_its_handles_serve_several_threads(self, backend: Backend) -> None:
        mapping, sequence, members = (
            backend.mapping(KEY),
            backend.sequence(Key("Thing:s")),
            backend.members(Key("Thing:m")),
        )

        def work(thread: int) -> None:
            for number in range(25):
                mapping.set_many({f"{thread} {number}": A})
                sequence.push_right([b"[%d,%d]" % (thread, number)])
                members.add({f"{thread} {number}"})
                mapping.increment("count", 1)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))
        names = {f"{thread} {number}" for thread in range(4) for number in range(25)}
        assert mapping.get_all() == dict.fromkeys(names, A) | {"count": b"100"}
        assert sorted(sequence.get_slice(slice(None))) == sorted(
            b"[%d,%d]" % (t, n) for t in range(4) for n in range(25)
        )
        assert members.get_all() == names
