"""The user interface of transactions: a block, a function that may run again, and hooks after the commit."""

from __future__ import annotations

import inspect
import logging
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial, wraps
from itertools import count
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType, TracebackType
from typing import Any, Final, NoReturn, ParamSpec, TypeVar, overload

from persistent_collections import flows
from persistent_collections.config import BackendSource, choose, resolve
from persistent_collections.errors import ConflictError, NotUnique, PersistentCollectionsError, TransactionError
from persistent_collections.transactions.current import Transaction, current, enter, joinable, way_back

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS: Final = 100
DEADLINE_S: Final = 30.0

_LOG: Final = logging.getLogger(__name__)
_LONGEST_PAUSE_S: Final = 0.1
_GENERATORS: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def transaction(*, backend: BackendSource | None = None) -> AbstractContextManager[None]:
    """Return a block in which several objects are read and changed in one step, at its end.

    ::

        class Sprint(Record):
            todo: PersistentList[str] = child()
            done: PersistentList[str] = child()

        sprint = Sprint.create(todo=["resize"])
        with transaction():
            sprint.done.append(sprint.todo.pop())

    Within the block, every read sees the block's writes, and other programs see none of them. At the end all is written
    in one step, if nothing that was read has changed. An exception that leaves the block writes nothing.

    A block within another one joins it. A block runs once: to have it run again after a conflict, make it a function
    with :func:`transactional`.

    Cost: 1 round trip for each object or field that is read, and 1 for the commit; none for a write that needs no read.

    Args:
        backend: The store, to check at the beginning that the block uses it; optional.

    Raises:
        ConflictError: At the end of the block: something that it read has changed; nothing was written.
        TransactionError: It did something that a transaction doesn't support: it used another store, listed all
            objects, read or wrote too much, or ran in another thread or task; nothing was written.
        OutcomeUnknown: At the end: the store did not answer; either everything was written or nothing.
    """
    return _Block(backend)


@overload
def transactional(function: Callable[P, T], /) -> Callable[P, T]: ...
@overload
def transactional(
    *, attempts: int = ATTEMPTS, deadline_s: float | None = DEADLINE_S
) -> Callable[[Callable[P, T]], Callable[P, T]]: ...
def transactional(function: Any = None, /, *, attempts: int = ATTEMPTS, deadline_s: float | None = DEADLINE_S) -> Any:
    """Make each call of a function a transaction, which runs again if anything that it read has changed meanwhile.

    ::

        class Account(Record):
            balance: int = 0

        @transactional
        def transfer(source: str, target: str, amount: int) -> bool:
            a, b = Account.load(source), Account.load(target)
            if a.balance < amount:
                return False
            a.balance -= amount
            b.balance += amount
            return True

    The function may run several times, so it should only read and write objects. Use :func:`on_commit` for everything
    else, such as sending mail. Called within a transaction, it joins that transaction.

    Cost: as :func:`transaction`, for each attempt.

    Args:
        function: The function, which must not be a generator or ``async``.
        attempts: The maximum number of times it runs.
        deadline_s: The seconds after which it does not run again, None for no limit.

    Raises:
        ConflictError: The last attempt met a conflict too; nothing was written.
        NotUnique: Another record has a unique value. If another program took it just before the commit, that is a
            conflict instead.
        TypeError: The function is a generator or ``async``, or not callable.
        ValueError: ``attempts`` is less than 1, or ``deadline_s`` is negative.
    """
    if attempts < 1 or (deadline_s is not None and deadline_s < 0):
        raise ValueError(
            "@transactional runs a function at least once, so attempts= is at least 1 and deadline_s= is not negative; "
            f"they are {attempts!r} and {deadline_s!r}"
        )
    if function is None:
        return partial(_transactional, attempts=attempts, deadline_s=deadline_s)
    return _transactional(function, attempts=attempts, deadline_s=deadline_s)


def on_commit(hook: Callable[[], object], /) -> None:
    """Call ``hook`` after the commit of the current transaction, outside of it.

    ::

        @transactional
        def order(name: str) -> None:
            PersistentList("orders").append(name)
            on_commit(lambda: print("ordered", name))

    Hooks run in their order after the outermost block. They don't run if the transaction fails. If one raises, the
    others still run, and then its exception is raised; the commit stays. A hook that returns a coroutine or a generator
    raises ``TypeError`` then.

    Cost: none.

    Args:
        hook: An ordinary function that takes no arguments.

    Raises:
        TransactionError: No transaction is in progress.
        TypeError: The hook is a generator or ``async``, so that calling it would do nothing; or it is not callable.
    """
    if not callable(hook):
        raise TypeError(
            f"on_commit() takes a function, not a result of type {type(hook).__name__}; write on_commit(lambda: f(x)) "
            "for f(x)"
        )
    if _is_deferred(hook):
        raise TypeError(
            f"on_commit() calls an ordinary function, and {hook!r} would do nothing when called; in a coroutine, await "
            "it after the transaction"
        )
    transaction = current()
    if transaction is None:
        raise TransactionError("on_commit() is for functions that run in a transaction, and none is running")
    transaction.after_commit(hook)


class _Block(AbstractContextManager[None]):
    """One attempt of a transaction, or a part of one that has begun.

    Attributes:
        hooks: The functions to call after the commit, if the block does not call them itself.
    """

    def __init__(self, backend: BackendSource | None = None, *, calls_hooks: bool = True) -> None:
        self.hooks: list[Callable[[], object]] = []
        self._backend = choose(backend)
        self._calls_hooks = calls_hooks
        self._joined: Transaction | None = None
        self._transaction: Transaction | None = None
        self._leave: Callable[[], None] | None = None

    def __enter__(self) -> None:
        if self._transaction or self._joined:
            raise TransactionError("this block was entered before; call transaction() for each")
        _refuse_generator(sys._getframe(1))
        transaction = self._joined = joinable()
        if transaction is None:
            transaction = self._transaction = Transaction()
        transaction.require_open()
        if self._backend is not None:
            transaction.on(resolve(self._backend))
        if self._joined is None:  # last, since no exit follows if this method raises
            self._leave = enter(transaction)

    def __call__(self, *_: object) -> NoReturn:
        """Refuse to decorate a function, whose body would run once and for one call only."""
        raise TypeError("transaction() is for a with block; write @transactional above a function")

    @property
    def was_late(self) -> bool:
        """Whether a unique value was found taken at the commit only."""
        return self._transaction is not None and self._transaction.was_late

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self._joined is not None:
            if error is not None:
                self._joined.fail(error)
            return
        assert self._transaction is not None  # noqa: S101 - it was entered
        has_left = self._leaves()
        if error is not None:
            _end(self._transaction, error)
        elif has_left:
            self.hooks = self._transaction.commit()
        else:
            self._transaction.abort()
            raise TransactionError(
                "the transaction ends in another context than it began in, so it did not include the code in between; "
                "begin and end it in one function. In FastAPI, do that in the endpoint, not in a dependency that yields"
            )
        if self._calls_hooks:
            call_all(self.hooks)

    def _leaves(self) -> bool:
        """Make the transaction no longer the current one, and return whether it was."""
        if self._leave is None:
            return True
        try:
            self._leave()
        except ValueError:
            return False
        return True


def _end(transaction: Transaction, error: BaseException) -> None:
    """End a transaction that ``error`` has left.

    Raises:
        ConflictError: It may have been caused by reads of different moments.
    """
    transaction.abort()
    is_true = True
    with suppress(PersistentCollectionsError):  # ``error`` says more
        is_true = not isinstance(error, Exception) or transaction.saw_the_truth()
    if not is_true:
        raise ConflictError(
            "the transaction failed, and something that it read has changed meanwhile; nothing was written, run it "
            "again"
        ) from error


def call_all(hooks: list[Callable[[], object]]) -> None:
    """Call all of ``hooks``, and raise the first exception of one at the end."""
    failure: Exception | None = None
    for hook in hooks:
        try:
            _require_done(hook, hook())
        except Exception as error:  # noqa: BLE001 - raised when all have run
            failure = failure or error
            _LOG.warning("a hook of on_commit raised %s", type(error).__name__)
    if failure is not None:
        raise failure


def _require_done(hook: Callable[[], object], found: object) -> None:
    """Raise ``TypeError`` if a hook returned a coroutine or a generator, of which nothing has run."""
    if isinstance(found, CoroutineType | GeneratorType):
        found.close()
    elif not isinstance(found, AsyncGeneratorType):
        return
    raise TypeError(
        f"the hook {hook!r} of on_commit() returned a {type(found).__name__}, so it did nothing; the commit stays. In "
        "a coroutine, await it after the transaction"
    )


def _transactional(function: Callable[P, T], *, attempts: int, deadline_s: float | None) -> Callable[P, T]:
    if not callable(function):
        raise TypeError(
            f"@transactional is for a function, not for {function!r}; give options by name, as in "
            "@transactional(attempts=3), and write it below @classmethod, @staticmethod and @property"
        )
    if _is_deferred(function):
        raise TypeError(
            f"@transactional is for a function that runs to its end at once, and {function!r} does not; let it "
            "call one that does"
        )

    @wraps(function)
    def transacted(*args: P.args, **kwargs: P.kwargs) -> T:
        if joinable() is not None:
            with _Block():
                return function(*args, **kwargs)
        return _run(partial(function, *args, **kwargs), attempts, deadline_s)

    return transacted


def _is_deferred(function: Callable[..., object]) -> bool:
    """Return whether a call of ``function`` only returns an object that has still to be awaited or iterated over."""
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return any(is_kind(function) for is_kind in kinds)


def _run(function: Callable[[], T], attempts: int, deadline_s: float | None) -> T:
    """Return the result of ``function`` in the first attempt that commits."""
    begun_s = time.monotonic()
    taken = ""
    for number in count(1):
        attempt_s = time.monotonic()
        block = _Block(calls_hooks=False)
        try:
            result = _attempt(block, function)
        except (ConflictError, NotUnique) as error:
            if isinstance(error, NotUnique):
                if not block.was_late or str(error) == taken:  # the same error again: not a lost race
                    raise
                taken = str(error)
            now_s = time.monotonic()
            if number >= attempts or (deadline_s is not None and now_s - begun_s >= deadline_s):
                raise ConflictError(
                    f"the transaction met a conflict in each of {number} attempts within {now_s - begun_s:.1f} s; "
                    "nothing was written. Let fewer programs change the same values at once, or let it try longer by "
                    "@transactional(attempts=…, deadline_s=…)"
                ) from error
        else:
            call_all(block.hooks)
            return result
        _LOG.debug("attempt %d met a conflict; it runs again", number)
        _pause(number, now_s - attempt_s)
    raise AssertionError("the loop ends by returning or raising")


def _attempt(block: _Block, function: Callable[[], T]) -> T:
    """Return the result of ``function`` in ``block``, which is left even if an interrupt comes as its exit begins."""
    leave = way_back()
    try:
        with block:
            return function()
    finally:
        leave()


def _pause(number: int, took_s: float) -> None:
    """Pause before the next attempt, up to a few times as long as the last one took, so that others can finish."""
    import random  # noqa: PLC0415 - it takes long, and few need it

    longest_s = min(took_s * 2 ** min(number, 4), _LONGEST_PAUSE_S)
    flows.sleep(random.uniform(0, longest_s))  # noqa: S311 - spreads load, not a secret


def _refuse_generator(frame: FrameType | None) -> None:
    """Raise if a block is entered in a generator: code that iterates over it would be in the transaction too.

    That is intended in the generator of a ``contextlib.contextmanager``, which is allowed.

    Raises:
        TypeError: The caller is another generator.
    """
    if frame is None or not frame.f_code.co_flags & _GENERATORS:
        return
    caller = frame.f_back
    if caller is not None and caller.f_globals.get("__name__") == "contextlib":
        return
    raise TypeError(
        f"a transaction in the generator {frame.f_code.co_qualname} would also apply to the code that iterates over "
        "it; collect the items in a list within the block and yield them after it, or make it a "
        "contextlib.contextmanager"
    )
