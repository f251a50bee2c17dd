"""The meaning of a failed command: redis-py's errors as this package's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from redis.exceptions import AskError, MaxConnectionsError, ReadOnlyError, RedisError, ResponseError

from persistent_collections.backends.shapes import WRONG_SHAPE, Shape
from persistent_collections.errors import (
    BackendError,
    BackendUnavailable,
    OutcomeUnknown,
    PersistentCollectionsError,
    WrongShapeError,
)


class Subject(NamedTuple):
    """The subject of a command, for its error message.

    Attributes:
        name: The key, or the prefix of listed keys.
        shape: The expected shape, None for any shape.
        is_listing: Whether keys are listed.
    """

    name: str
    shape: Shape | None = None
    is_listing: bool = False

    @property
    def type_name(self) -> str:
        """The type of the object, for the log, which omits ids since they may be personal data."""
        return self.name.partition(":")[0]

    def __str__(self) -> str:
        if not self.is_listing:
            return repr(self.name)
        return f"listing the keys that begin with {self.name!r}" if self.name else "listing the keys"


class Failure(Exception):  # noqa: N818 - never leaves this package
    """One attempt at a command that did not succeed.

    Attributes:
        error: The error that redis-py made of it.
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


NO_TLS: Final = "it does not speak TLS at this port"
REACH: Final = "check that it runs and that the URL is right"
_NO_RIGHT: Final = _Refusal("allow its user this command and key by ACL SETUSER")
_HALF: Final = "a script stopped at it, so a write may be half done: then read the object, and run check"
_NO_RIGHT_IN_SCRIPT: Final = _Refusal(f"{_NO_RIGHT.remedy}; {_HALF}")
_COMMANDS: Final = "it must be Redis 6.2 or newer, with all of its commands under their own names"
_ONE_NODE: Final = _Refusal("it is one node of a cluster: begin the URL with 'redis+cluster:'")
_TOO_LARGE: Final = _Refusal(
    "a value is larger than its option proto-max-bulk-len allows: raise that, or store the value in parts"
)
_REFUSALS: Final = {
    "LOADING": _Refusal("it is still reading its data, so try again later", BackendUnavailable, passing=True),
    "BUSY": _Refusal("a script of another client keeps it; see SCRIPT KILL", BackendUnavailable, passing=True),
    "MASTERDOWN": _Refusal("it has lost its master; see its log", BackendUnavailable, passing=True),
    "CLUSTERDOWN": _Refusal("its cluster is incomplete; see CLUSTER INFO", BackendUnavailable, passing=True),
    "TRYAGAIN": _Refusal("its slots are moving, so try again later", BackendUnavailable, passing=True),
    "max number of clients": _Refusal("raise its option maxclients", BackendUnavailable, passing=True),
    "MOVED": _ONE_NODE,
    "only some of the keys": _ONE_NODE,
    "cluster support disabled": _Refusal("it is not a cluster: begin the URL with 'redis:'"),
    "CROSSSLOT": _ONE_NODE,
    "READONLY": _Refusal("it is a replica: name the master in the URL", passing=True),
    "OOM": _Refusal("free memory or raise its option maxmemory"),
    "MISCONF": _Refusal("it cannot save to its disk; see its log"),
    "NOREPLICAS": _Refusal("see its option min-replicas-to-write", BackendUnavailable, passing=True),
    "NOPERM": _NO_RIGHT,
    "has no permissions": _NO_RIGHT_IN_SCRIPT,  # since version 7
    "executing the script can't": _NO_RIGHT_IN_SCRIPT,  # and before
    "without any password": _Refusal("it asks for none, so leave the password out"),
    "NOAUTH": _Refusal("give a password in the URL or as option 'password', a sentinel's own as 'sentinel_password'"),
    "WRONGPASS": _Refusal("correct the user or the password"),
    "unknown command ['`]EVAL(?:SHA)?": _Refusal(
        "scripts are switched off: do not rename EVAL and EVALSHA in its configuration"
    ),
    "invalid bulk length": _TOO_LARGE,
    "invalid multibulk length": _TOO_LARGE,
    "unknown command ['`]SENTINEL": _Refusal("it is not a sentinel: begin the URL with 'redis:'"),
    "unknown command": _Refusal(
        f"{_COMMANDS}; if it does not know HELLO, add protocol=2; "
        "if it is a sentinel, begin the URL with 'redis+sentinel:'"
    ),
    "Unknown (?:Redis )?command": _Refusal(f"{_COMMANDS}; {_HALF}"),  # in a script
    "DB index": _Refusal("choose another 'db', or raise its option databases"),
}
_OTHER: Final = _Refusal("see its log")
_WRONG_TYPE: Final = re.compile(r"\bWRONGTYPE\b")
_HOPELESS: Final = {
    re.compile("certificate verify failed"): (
        "set 'ssl_ca_certs' to the authority that certifies it, and write the host of its certificate in the URL"
    ),
    re.compile(r"PEM lib|\[X509: |Error 2 connecting to [^/]*:\d"): (  # a missing socket is named by its path
        "set the options 'ssl_…' to files that exist and belong together"
    ),
    re.compile("ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_REQUIRED)"): (
        "set 'ssl_certfile' and 'ssl_keyfile' to a certificate of an authority that it knows"
    ),
    re.compile(f"{NO_TLS}|WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE"): (
        "begin the URL with 'redis:' instead of 'rediss:', or name the port at which it speaks TLS"
    ),
}
"""Reasons why a connection will never succeed, and their remedies."""
_KNOWN: Final = _HOPELESS | {
    re.compile(r"\bErr(or|no) 2[34]\b"): "raise the number of files that this process may open (ulimit -n)",
    re.compile("no node serves"): "see CLUSTER INFO",
}
"""These and reasons that may pass."""
# In the text of an error that a script forwards, the code can be anywhere.
_BY_GROUP: Final = {f"r{number}": refusal for number, refusal in enumerate(_REFUSALS.values())}
_REASON: Final = re.compile("|".join(rf"(?P<r{number}>\b{reason}(?!\w))" for number, reason in enumerate(_REFUSALS)))


def is_reply(error: RedisError) -> bool:
    """Return whether ``error`` is a server's answer, so that the command was received and refused."""
    return isinstance(error, ResponseError) or error.status_code is not None


def is_redirect(error: RedisError) -> bool:
    """Return whether ``error`` redirects to another node of a cluster."""
    return isinstance(error, AskError)  # MOVED is a subclass


def is_provisional(reply: object) -> bool:
    """Return whether the same command may be answered otherwise a moment later or elsewhere."""
    return isinstance(reply, ResponseError) and (is_redirect(reply) or is_passing(reply))


def refusal_in(error: RedisError) -> ResponseError | None:
    """Return the refusal that redis-py's Sentinel connection reported as a lost connection, if any."""
    return error.__context__ if isinstance(error.__context__, ReadOnlyError) else None


def is_passing(error: RedisError) -> bool:
    """Return whether the same command may well succeed a moment later."""
    if is_reply(error):
        return _refusal(error).passing
    return _remedy(error, _HOPELESS) is None


def explain(
    error: RedisError, subject: Subject, server: str, *, nothing_done: bool, remedy: str = REACH
) -> PersistentCollectionsError:
    """Return the error to raise for ``error``, which becomes its cause unless it repeats stored values.

    Args:
        error: The error that redis-py raised.
        subject: The subject of the command.
        server: The server it was sent to.
        nothing_done: Whether it is certain that the server executed nothing.
        remedy: The advice if the server can't be reached.
    """
    text, repeats_arguments, _ = str(error).partition(", with args beginning with")
    explained: PersistentCollectionsError
    if is_reply(error):
        explained = _refused(error, text, subject, server)
    elif isinstance(error, MaxConnectionsError):
        explained = BackendUnavailable(
            f"{subject}: no connection to the server at {server} is free ({text}); nothing was done; "
            "raise the option 'max_connections', or use fewer threads at a time"
        )
    elif nothing_done:
        explained = BackendUnavailable(
            f"{subject}: the server at {server} cannot be reached ({text}); nothing was done; "
            f"{_remedy(error, _KNOWN) or remedy}"
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
    shape = subject.shape and subject.shape.word
    return WrongShapeError(f"{subject} does not hold a {shape}; {WRONG_SHAPE}")


def _remedy(error: RedisError, reasons: Mapping[re.Pattern[str], str]) -> str | None:
    """Return the remedy for the first of ``reasons`` that ``error`` names, None for another error."""
    return next((remedy for sign, remedy in reasons.items() if sign.search(str(error))), None)


def _refused(error: RedisError, text: str, subject: Subject, server: str) -> PersistentCollectionsError:
    if _WRONG_TYPE.search(_told(error)):
        return wrong_shape(subject)
    refusal = _refusal(error)
    return refusal.kind(f"{subject}: the server at {server} refused: {text}; {refusal.remedy}")


def _refusal(error: RedisError) -> _Refusal:
    """Return the meaning of a refusal, by its code or words."""
    found = _REASON.search(_told(error))
    return _BY_GROUP[found.lastgroup] if found and found.lastgroup else _OTHER


def _told(error: RedisError) -> str:
    """Return the server's message; redis-py cuts the code off the text of errors it knows."""
    return f"{error.status_code} {error}"
