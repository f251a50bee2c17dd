"""The current transaction of a flow of execution, and its views of stores."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from time import monotonic
from typing import Final, TypeAlias
from weakref import ref

from persistent_collections.backends.base import Backend
from persistent_collections.backends.building import commit_with_indexes
from persistent_collections.backends.changes import Change, Condition
from persistent_collections.backends.wrappers.beside import beside
from persistent_collections.config import Choice, resolve
from persistent_collections.errors import ConflictError, NotUnique, TransactionError
from persistent_collections.flows import flow
from persistent_collections.transactions.conflicts import conflict
from persistent_collections.transactions.limits import advise_if_long, require_small
from persistent_collections.transactions.overlay import Overlay

_Found: TypeAlias = Callable[[], "Transaction | None"]

_entered: Final[ContextVar[_Found | None]] = ContextVar("persistent_collections_transaction", default=None)

entered: Final = _entered.get
"""Return an object that identifies the transaction of this flow, None outside one."""


class Transaction:
    """The reads and pending writes of one attempt of a transaction.

    Only its block holds it, neither the context variable nor its view of the store: if an interrupt prevents the block
    from being entered or left, the transaction is gone and nothing joins it.

    Attributes:
        has_ended: Whether it was committed or abandoned.
        was_late: Whether a unique value was found taken at the commit only.
    """

    def __init__(self) -> None:
        self._flow = flow()
        self._store: Overlay | None = None
        self._begun_s = 0.0
        self._hooks: list[Callable[[], object]] = []
        self._undo: list[Callable[[], object]] = []
        self.has_ended = False
        self.was_late = False
        self._failure: BaseException | None = None

    @property
    def is_here(self) -> bool:
        """Whether this flow began it."""
        return self._flow == flow()

    def require_open(self) -> None:
        """Raise unless operations of this flow may go on in the transaction.

        Raises:
            TransactionError: It has ended, a block in it failed, or it belongs to another flow.
        """
        if self.has_ended:
            raise _ended()
        if not self.is_here:
            raise TransactionError(
                "the transaction belongs to another task, thread or process, which began it; begin one here, or do all "
                "of its work there"
            )
        if self._failure is not None:
            raise TransactionError(
                f"a block within the transaction failed ({type(self._failure).__name__}), so nothing of it will be "
                "written; let the exception leave the outermost block"
            ) from self._failure

    def on(self, backend: Backend) -> Backend:
        """Return the transaction's view of ``backend``.

        Raises:
            TransactionError: The transaction is in another store.
        """
        self.require_open()
        if self._store is None:
            self._store = Overlay(beside(backend), partial(_require_going_on, ref(self)))
            self._begun_s = monotonic()
        elif self._store.inner is not backend and self._store.inner != backend:
            raise TransactionError(
                f"a transaction is in one store, and this one is in {self._store.url}, not in {backend.url}; "
                "change one store first, and the other one by on_commit()"
            )
        return self._store

    def fail(self, error: BaseException) -> None:
        """Note that ``error`` left a block within the transaction."""
        self._failure = self._failure or error

    def after_commit(self, hook: Callable[[], object]) -> None:
        """Let ``hook`` be called after the commit."""
        self.require_open()
        self._hooks.append(hook)

    def on_abort(self, undo: Callable[[], object]) -> None:
        """Register ``undo``, called if nothing is written, the last one first."""
        self._undo.append(undo)

    def commit(self) -> list[Callable[[], object]]:
        """Write all in one step if all reads still hold; return the hooks to call then.

        Raises:
            ConflictError: Something changed meanwhile; nothing was written.
        """
        try:
            self._commit()
        except BaseException as error:
            self.was_late = isinstance(error, NotUnique)
            self.abort()
            raise
        self.has_ended = True
        return self._hooks

    def abort(self) -> None:
        """End it; values in memory return to the state that was read."""
        self.has_ended = True
        while self._undo:
            self._undo.pop()()

    def saw_the_truth(self) -> bool:
        """Return whether everything that it read is still so at this one moment."""
        if self._store is None or self._store.moments <= 1:
            return True
        conditions, _ = self._store.parts()
        return _make(self._store, conditions, [])

    def _commit(self) -> None:
        if isinstance(self._failure, ConflictError):
            raise self._failure
        self.require_open()
        if self._store is None:
            return
        conditions, changes = self._store.parts()
        if changes:
            advise_if_long(self._store.inner, monotonic() - self._begun_s)
        if (changes or self._store.moments > 1) and not _make(self._store, conditions, changes):
            raise conflict(conditions)


def _require_going_on(found: _Found) -> None:
    """Raise if the transaction has ended; called for each key, after ``require_open`` for each operation.

    Args:
        found: Returns the transaction, None if it is gone.

    Raises:
        TransactionError: It has ended.
    """
    transaction = found()
    if transaction is None or transaction.has_ended:
        raise _ended()


def _ended() -> TransactionError:
    return TransactionError("the transaction in which this was read has ended; read it again")


def _make(store: Overlay, conditions: list[Condition], changes: list[Change]) -> bool:
    """Make a commit, and return whether its conditions held."""
    require_small(conditions, changes)
    if commit_with_indexes(store.inner, store.inner.commit_once, conditions, changes).is_done:
        return True
    if not store.corrects_assumptions():
        return False
    return commit_with_indexes(store.inner, store.inner.commit_once, store.parts()[0], changes).is_done


def current() -> Transaction | None:
    """Return the transaction that this flow is in or has inherited, and that has not ended, or None."""
    found = entered()
    transaction = None if found is None else found()
    return None if transaction is None or transaction.has_ended else transaction


def joinable() -> Transaction | None:
    """Return the transaction that this flow began, None if it began none."""
    transaction = current()
    return transaction if transaction is not None and transaction.is_here else None


def enter_loop() -> None:
    """Make this context, a copy of another one, use each store through :func:`seen`, as in a transaction."""
    if entered() is None:
        _entered.set(_no_transaction)


def _no_transaction() -> None:
    """Represent a transaction that is gone."""


def enter(transaction: Transaction) -> Callable[[], None]:
    """Make ``transaction`` the current one of this flow, and return the function that undoes that."""
    token = _entered.set(ref(transaction))
    return lambda: _entered.reset(token)


def way_back() -> Callable[[], object]:
    """Return a function that makes the current transaction of now current again; no interrupt prevents its call."""
    return partial(_entered.set, entered())


def active(choice: Choice) -> Backend:
    """Return the current store of an operation, or within a transaction its view of that store."""
    return seen(resolve(choice))


def seen(backend: Backend) -> Backend:
    """Return ``backend``, within a transaction its view of it, and on an event loop a form that doesn't block it."""
    transaction = current()
    return beside(backend) if transaction is None else transaction.on(backend)


def on_abort(undo: Callable[[], object]) -> None:
    """Register ``undo``, called if the transaction of this flow, if any, writes nothing."""
    transaction = current()
    if transaction is not None:
        transaction.on_abort(undo)
