"""What a failed command means: redis-py's errors turned into this package's."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from redis.exceptions import AskError, ReadOnlyError, RedisError, ResponseError

from persistent_collections.backends.base import Shape
from persistent_collections.errors import (
    BackendError,
    BackendUnavailable,
    OutcomeUnknown,
    PersistentCollectionsError,
    WrongShapeError,
)


class Subject(NamedTuple):
    """What a command is about, for its error message.

    Attributes:
        name: The key worked on, or what the keys begin with that are listed.
        shape: What it should hold, None where any shape will do.
        is_listing: Whether keys are listed.
    """

    name: str
    shape: Shape | None = None
    is_listing: bool = False

    def __str__(self) -> str:
        if not self.is_listing:
            return repr(self.name)
        return f"listing the keys that begin with {self.name!r}" if self.name else "listing the keys"


class Failure(Exception):  # noqa: N818 - never leaves this package
    """One attempt at a command that did not succeed.

    Attributes:
        error: What redis-py made of it.
        nothing_done: Whether it is certain that the server executed nothing.
    """

    def __init__(self, error: RedisError, *, nothing_done: bool) -> None:
        super().__init__(error)
        self.error = error
        self.nothing_done = nothing_done


class _Refusal(NamedTuple):
    remedy: str
    kind: type[BackendError] = BackendError
    passing: bool = False


_NO_RIGHT: Final = _Refusal("let ACL SETUSER allow its user this command and key")
_REFUSALS: Final = {
    "LOADING": _Refusal("it is still reading its data, so try again later", BackendUnavailable, passing=True),
    "BUSY": _Refusal("a script of another client keeps it; see SCRIPT KILL", BackendUnavailable, passing=True),
    "MASTERDOWN": _Refusal("it has lost its master; see its log", BackendUnavailable, passing=True),
    "CLUSTERDOWN": _Refusal("its cluster is incomplete; see CLUSTER INFO", BackendUnavailable, passing=True),
    "TRYAGAIN": _Refusal("its slots are moving, so try again later", BackendUnavailable, passing=True),
    "max number of clients": _Refusal("raise its option maxclients", BackendUnavailable, passing=True),
    "MOVED": _Refusal("it is one node of a cluster: let the URL begin with 'redis+cluster:'"),
    "cluster support disabled": _Refusal("it is no cluster: let the URL begin with 'redis:'"),
    "CROSSSLOT": _Refusal("it is one node of a cluster: let the URL begin with 'redis+cluster:'"),
    "READONLY": _Refusal("it is a replica: let the URL name the master", passing=True),
    "OOM": _Refusal("free memory or raise its option maxmemory"),
    "MISCONF": _Refusal("it cannot save to its disk; see its log"),
    "NOREPLICAS": _Refusal("see its option min-replicas-to-write", BackendUnavailable, passing=True),
    "NOPERM": _NO_RIGHT,
    "has no permissions": _NO_RIGHT,  # a script's command, from version 7 on
    "executing the script can't": _NO_RIGHT,  # and before
    "without any password": _Refusal("it asks for none, so leave the password out"),
    "NOAUTH": _Refusal("give a password in the URL or as option 'password', a sentinel's own as 'sentinel_password'"),
    "WRONGPASS": _Refusal("correct the user or the password"),
    "unknown command": _Refusal("Redis 6.2 is the oldest that will do, and protocol=2 where HELLO is not known"),
    "DB index": _Refusal("choose another 'db', or raise its option databases"),
}
_OTHER: Final = _Refusal("see its log")
_WRONG_TYPE: Final = "WRONGTYPE"
_HOPELESS: Final = {
    re.compile("certificate verify failed"): (
        "let 'ssl_ca_certs' name the authority that certifies it, and the URL the host it is certified as"
    ),
    re.compile(r"PEM lib|\[X509: |Error 2 connecting to [^/]*:\d"): (  # a socket that is missing is named by its path
        "let the options 'ssl_…' name files that are there and belong together"
    ),
    re.compile("ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_REQUIRED)"): (
        "let 'ssl_certfile' and 'ssl_keyfile' name a certificate of an authority that it knows"
    ),
}
"""What no connection is made for and never will be, and what to do about it."""
# In the text of an error a script passes on, the code stands anywhere.
_REASON: Final = re.compile("|".join(rf"\b{reason}\b" for reason in (_WRONG_TYPE, *_REFUSALS)))


def is_reply(error: RedisError) -> bool:
    """Say whether ``error`` is a server's answer, so that the command was received and refused."""
    return isinstance(error, ResponseError) or error.status_code is not None


def is_redirect(error: RedisError) -> bool:
    """Say whether ``error`` names the node of a cluster to ask instead."""
    return isinstance(error, AskError)  # of which MOVED is a subclass


def refusal_in(error: RedisError) -> ResponseError | None:
    """Return the refusal that a connection made by way of Sentinel turned into a lost connection, if any."""
    return error.__context__ if isinstance(error.__context__, ReadOnlyError) else None


def is_passing(error: RedisError) -> bool:
    """Say whether the same command may well succeed a moment later."""
    if is_reply(error):
        return _REFUSALS.get(_reason(error), _OTHER).passing
    return _hopeless(error) is None


def explain(error: RedisError, subject: Subject, server: str, *, nothing_done: bool) -> PersistentCollectionsError:
    """Return the error to raise for ``error``, which becomes its cause unless it repeats stored values.

    Args:
        error: What redis-py raised.
        subject: What the command was about.
        server: Where it was sent.
        nothing_done: Whether it is certain that the server executed nothing.
    """
    text, repeats_arguments, _ = str(error).partition(", with args beginning with")
    explained: PersistentCollectionsError
    if is_reply(error):
        explained = _refused(_reason(error), text, subject, server)
    elif nothing_done:
        remedy = _hopeless(error) or "see that it runs and that the URL is right"
        explained = BackendUnavailable(
            f"{subject}: the server at {server} cannot be reached ({text}); nothing was done; {remedy}"
        )
    else:
        explained = OutcomeUnknown(
            f"{subject}: the server at {server} did not answer ({text}); "
            "the operation may or may not have been done: read the object before repeating it"
        )
    explained.__cause__ = None if repeats_arguments else error
    explained.__suppress_context__ = True
    return explained


def wrong_shape(subject: Subject) -> WrongShapeError:
    """Return the error for a key that holds another shape."""
    shape = "set" if subject.shape == "members" else subject.shape
    return WrongShapeError(f"{subject} does not hold a {shape}; open it as what it is, or choose another id")


def _hopeless(error: RedisError) -> str | None:
    """Return what to do about an error that does not pass by itself, None of one that may."""
    return next((remedy for sign, remedy in _HOPELESS.items() if sign.search(str(error))), None)


def _refused(reason: str, text: str, subject: Subject, server: str) -> PersistentCollectionsError:
    if reason == _WRONG_TYPE:
        return wrong_shape(subject)
    refusal = _REFUSALS.get(reason, _OTHER)
    return refusal.kind(f"{subject}: the server at {server} refused: {text}; {refusal.remedy}")


def _reason(error: RedisError) -> str:
    """Return the code or words that say why a server refused, empty if they are none of those known here."""
    found = _REASON.search(f"{error.status_code} {error}")  # redis-py cuts the code off the text of errors it knows
    return found.group() if found else ""
