"""Every failure this package raises.

::

    PersistentCollectionsError
    ├── EncodeError          (also TypeError)      a value cannot be stored as it is
    ├── FormError            (also ValueError)     texts of a form are not values of their fields
    ├── DecodeError          (also ValueError)     stored bytes are not what the codec writes
    ├── UnknownFieldError    (also KeyError and AttributeError)
    ├── ObjectNotFound       (also KeyError)
    ├── ObjectExists
    │   └── NotUnique                              another record has the value of a unique field
    ├── StillReferenced                            others refer to the record, which may not be deleted
    ├── NoIndexError         (also TypeError)      no index answers a query
    ├── PageTokenError       (also ValueError)     it is not the token of a page of this query
    ├── WrongShapeError      (also TypeError)      a key holds another shape than the one asked for
    ├── ConflictError                              the stored value changed meanwhile; nothing was written
    ├── TransactionError                           a transaction cannot do this
    ├── SchemaChangedError                         a class declares something else than the store holds
    ├── CorruptDataError                           the store holds data that this package does not write
    ├── ConfigurationError   (also ValueError)
    └── BackendError                               disk full, read-only, permission, server refusal
        ├── BackendUnavailable   (also ConnectionError)   nothing was done
        └── OutcomeUnknown       (also TimeoutError)      it may have been done

Errors that a ``dict`` or a ``list`` would raise (``KeyError``, ``IndexError``, ``ValueError``, ``TypeError``) are
raised as they are. An error of the store's own library is the ``__cause__``. ``SlowHabitWarning`` and
``MutableValueWarning`` are warnings.

If you can do something about an error, its ``remedies`` say so. Its text ends with them, written as Python;
the command line writes them as its own options.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Self

from persistent_collections.remedies import Remedy

# Without a handler, Python prints warnings on the standard error output of programs that set no logging up.
logging.getLogger("persistent_collections").addHandler(logging.NullHandler())


class PersistentCollectionsError(Exception):
    """The base of every error of this package.

    ::

        with pytest.raises(PersistentCollectionsError) as caught:
            connect("redos://localhost")
        assert "did you mean 'redis'?" in str(caught.value)

    Attributes:
        remedies: What you can do about it; the text of the error ends with these.
    """

    remedies: tuple[Remedy, ...] = ()

    @property
    def problem(self) -> str:
        """What is wrong, without the remedies."""
        # KeyError would show the repr of its message, quotes and all.
        return Exception.__str__(self)

    def __str__(self) -> str:
        return "; ".join([self.problem, *map(str, self.remedies)])

    def with_remedies(self, *remedies: Remedy) -> Self:
        """Add what can be done about it, and return the error itself."""
        self.remedies += remedies
        return self


class EncodeError(PersistentCollectionsError, TypeError):
    """A value cannot be stored exactly as it is; nothing was written."""


class FormError(PersistentCollectionsError, ValueError):
    """Texts of a form are not values of their fields; the text of the error itself is for developers.

    ::

        class Order(Record):
            count: int

        with pytest.raises(FormError) as caught:
            Order.from_text({"count": "many"})
        assert caught.value.errors == {"count": "Enter a whole number."}

    Attributes:
        errors: A message for each such field, to show beside it; it does not repeat the text.
    """

    def __init__(self, message: str, *, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.errors = dict(errors or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), errors=self.errors), self.args, vars(self)


class DecodeError(PersistentCollectionsError, ValueError):
    """Stored bytes are not what this codec writes."""


class UnknownFieldError(PersistentCollectionsError, KeyError, AttributeError):
    """A record has no field of this name; nothing was written."""


class ObjectNotFound(PersistentCollectionsError, KeyError):  # noqa: N818 - the name says the condition
    """No object is stored under this key."""


class ObjectExists(PersistentCollectionsError):  # noqa: N818 - the name says the condition
    """An object is stored under this key already; nothing was written."""


class NotUnique(ObjectExists):
    """Another record has this value of a unique field; nothing was written.

    ::

        from typing import Annotated

        class User(Record):
            email: Annotated[str, unique]

        User.create("luke", email="luke@example.com")
        with pytest.raises(NotUnique) as caught:
            User.create("han", email="luke@example.com")
        assert (caught.value.field, caught.value.other) == ("email", "User:luke")

    Attributes:
        field: The name of the field; of several that are unique together, their names with a comma between.
        other: The key of the other record.
    """

    def __init__(self, message: str, *, field: str = "", other: str = "") -> None:
        super().__init__(message)
        self.field, self.other = field, other

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), field=self.field, other=self.other), self.args, vars(self)


class StillReferenced(PersistentCollectionsError):  # noqa: N818 - the name says the condition
    """Other records refer to this one by a field with ``on_delete("restrict")``; nothing was deleted."""


class NoIndexError(PersistentCollectionsError, TypeError):
    """No index of the class answers a query; the message gives the declaration to add."""


class PageTokenError(PersistentCollectionsError, ValueError):
    """A text is not the token of a page of this query: it is damaged, or belongs to another query."""


class WrongShapeError(PersistentCollectionsError, TypeError):
    """The key holds another shape: a list instead of a dict, for example."""


class ConflictError(PersistentCollectionsError):
    """The stored value changed since it was read; nothing was written."""


class TransactionError(PersistentCollectionsError):
    """A transaction cannot do this, or was used in another task or thread; nothing was written."""


class SchemaChangedError(PersistentCollectionsError):
    """A class declares something other than the store holds; nothing was guessed and nothing was written."""


class CorruptDataError(PersistentCollectionsError):
    """The store holds data that this package does not write; it was left as it is."""


class ConfigurationError(PersistentCollectionsError, ValueError):
    """A URL, an option or a setting is wrong."""


class BackendError(PersistentCollectionsError):
    """The store refused or failed: disk full, read-only, permission, server refusal."""


class BackendUnavailable(BackendError, ConnectionError):  # noqa: N818 - the name says the condition
    """The store could not be reached; nothing was done."""


class OutcomeUnknown(BackendError, TimeoutError):  # noqa: N818 - the name says the condition
    """The store did not answer in time; the operation may or may not have been done."""


class SlowHabitWarning(UserWarning):
    """A program asks the store many times instead of once; the message names the remedy."""


class MutableValueWarning(UserWarning):
    """Instances of a declared class can change in place, which is not stored; the message names the remedies."""
