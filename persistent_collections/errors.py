"""Every failure this package raises.

::

    PersistentCollectionsError
    ├── EncodeError          (also TypeError)      a value cannot be stored as it is
    ├── DecodeError          (also ValueError)     stored bytes are not what the codec writes
    ├── UnknownFieldError    (also KeyError and AttributeError)
    ├── ObjectNotFound       (also KeyError)
    ├── ObjectExists
    ├── WrongShapeError      (also TypeError)      a key holds another shape than the one asked for
    ├── ConflictError                              the stored value changed meanwhile; nothing was written
    ├── CorruptDataError                           the store holds what this package would not have written
    ├── ConfigurationError   (also ValueError)
    └── BackendError                               disk full, read-only, permission, server refusal
        ├── BackendUnavailable   (also ConnectionError)   nothing was done
        └── OutcomeUnknown       (also TimeoutError)      it may have been done

What a ``dict`` or a ``list`` would raise (``KeyError``, ``IndexError``, ``ValueError``, ``TypeError``) stays just that.
An error of the store's own library is the ``__cause__``. ``SlowHabitWarning`` is a warning, and no failure.
"""


class PersistentCollectionsError(Exception):
    """The base of every error of this package."""

    # KeyError would show the repr of its message, quotes and all.
    __str__ = Exception.__str__


class EncodeError(PersistentCollectionsError, TypeError):
    """A value cannot be stored exactly as it is; nothing was written."""


class DecodeError(PersistentCollectionsError, ValueError):
    """Stored bytes are not what this codec writes."""


class UnknownFieldError(PersistentCollectionsError, KeyError, AttributeError):
    """A record has no field of this name; nothing was written."""


class ObjectNotFound(PersistentCollectionsError, KeyError):  # noqa: N818 - the name says the condition
    """No object is stored under this key."""


class ObjectExists(PersistentCollectionsError):  # noqa: N818 - the name says the condition
    """An object is stored under this key already; nothing was written."""


class WrongShapeError(PersistentCollectionsError, TypeError):
    """The key holds another shape (a list where a dict was asked for, say)."""


class ConflictError(PersistentCollectionsError):
    """The stored value changed since it was read; nothing was written."""


class CorruptDataError(PersistentCollectionsError):
    """The store holds something this package would not have written; it was left as it is."""


class ConfigurationError(PersistentCollectionsError, ValueError):
    """A URL, an option or a setting is wrong."""


class BackendError(PersistentCollectionsError):
    """The store refused or failed: disk full, read-only, permission, server refusal."""


class BackendUnavailable(BackendError, ConnectionError):  # noqa: N818 - the name says the condition
    """The store could not be reached; nothing was done."""


class OutcomeUnknown(BackendError, TimeoutError):  # noqa: N818 - the name says the condition
    """The store did not answer in time; the operation may or may not have been done."""


class SlowHabitWarning(UserWarning):
    """A program asks the store many times for what once would do; the message names the remedy."""
