"""The suite of transactions on every store, and the suite of stores with each operation in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from persistent_collections import Backend, connect
from persistent_collections.backends import Change, Condition, Key, MemoryBackend, Shape, WrappedBackend
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.transactions import TransactionSuite
from persistent_collections.transactions.overlay import Overlay
from tests.conftest import STORES


@pytest.mark.parametrize("store_kind", list(STORES))
class TestTransactions(TransactionSuite):
    pass


class OneRootBackend(MemoryBackend):
    several_roots = False


class TestTransactionsOfOneObject(TransactionSuite):
    @pytest.fixture
    def backend(self) -> Backend:
        return OneRootBackend()


MOST_TRIES: Final = 10_000


class Transacting(WrappedBackend):
    """Makes each operation in a transaction of its own."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        return TransactedHandle(self, lambda overlay: overlay.open(shape, key, is_record=is_record))

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        return bool(self.transacted(lambda overlay: overlay.commit(conditions, changes)))

    def transacted(self, operation: Callable[[Overlay], Any]) -> Any:
        for _ in range(MOST_TRIES):
            overlay = Overlay(self.wrapped, lambda: None)
            result = operation(overlay)
            if self.wrapped.commit(*overlay.parts()):
                return result
            if overlay.corrects_assumptions() and self.wrapped.commit(*overlay.parts()):
                return result
        raise AssertionError(f"no commit in {MOST_TRIES} tries")


class TransactedHandle:
    def __init__(self, backend: Transacting, opened: Callable[[Backend], Any]) -> None:
        self._backend = backend
        self._opened = opened

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self._backend.transacted(
            lambda overlay: getattr(self._opened(overlay), name)(*args, **kwargs)
        )

    def pages(self) -> Iterator[Any]:
        pages: Iterator[Any] = self._opened(self._backend.wrapped).pages()
        return pages


@pytest.mark.slow
@pytest.mark.store("memory")
class TestEachOperationInATransaction(BackendSuite):
    @pytest.mark.skip(reason="a transaction stores what it popped again without asking for a deadline")
    def test_the_last_part_that_is_popped_knows_how_long_its_object_had_left(self, *_: Any) -> None: ...

    @pytest.fixture
    def backend(self) -> Backend:
        return Transacting(MemoryBackend())

    def reopen(self, backend: Backend) -> Backend:
        assert isinstance(backend, Transacting)
        return backend.wrapped


@pytest.mark.slow
@pytest.mark.store("json")
class TestEachOperationOnJSONInATransaction(BackendSuite):
    @pytest.mark.skip(reason="a transaction stores what it popped again without asking for a deadline")
    def test_the_last_part_that_is_popped_knows_how_long_its_object_had_left(self, *_: Any) -> None: ...

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        with connect(f"json:{tmp_path}/data?fsync=off") as inner:
            yield Transacting(inner)

    def reopen(self, backend: Backend) -> Backend:
        assert isinstance(backend, Transacting)
        return backend.wrapped
