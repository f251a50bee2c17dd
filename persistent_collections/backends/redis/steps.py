"""Steps: changes that one script makes together if conditions hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from persistent_collections.backends.base import BATCH_BYTES
from persistent_collections.backends.changes import Change, Condition, keys_of
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis.changes import Step, as_arguments, claimed, comes_back, steps_of
from persistent_collections.backends.redis.cluster import Cluster
from persistent_collections.backends.redis.entries import Claim
from persistent_collections.backends.redis.executor import MAX_ITEMS, Call, Server
from persistent_collections.backends.redis.failures import Subject, wrong_shape
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.putting import as_putting
from persistent_collections.backends.redis.scripts import COMMIT, PUT, Script
from persistent_collections.backends.redis.tokens import Once, kept_ms
from persistent_collections.errors import BackendError


class _Prepared(NamedTuple):
    """A step as its script takes it.

    Attributes:
        subject: Its subject.
        names: The names of its keys.
        arguments: The arguments before the items.
        items: The items.
        steps: The conditions and changes, by whose number the script refuses one.
    """

    subject: Subject
    names: Sequence[bytes]
    arguments: Command
    items: Command
    steps: Sequence[Step]


class Steps:
    """Runs the scripts that make steps.

    Args:
        server: Takes the commands.
        url: The store's, for messages.
        retry_for_s: Seconds for which unexecuted commands are retried.
    """

    def __init__(self, server: Server, url: str, retry_for_s: float) -> None:
        self._server = server
        self._url = url
        self._retry_for_s = retry_for_s

    def make(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        """Make changes if conditions hold; return whether they do."""
        putting = as_putting(conditions, changes)
        if putting is not None:
            names = list(map(self._server.names.spell, putting.keys))
            reply = self._server.run(Subject(str(putting.keys[0])), PUT, names, putting.arguments)
            if reply >= 0:
                return bool(reply)
        return bool(self.run(COMMIT, conditions, changes))

    def run(
        self,
        script: Script,
        conditions: Sequence[Condition],
        changes: Sequence[Change],
        claim: Claim | None = None,
        once: Once | None = None,
    ) -> Any:
        """Return the reply of a script that makes changes if conditions hold, and a claim is still good."""
        step = self._prepared(conditions, changes, claim)
        if step is None:
            return True
        subject, names, arguments, items, _ = step
        if once:
            given = ("here", *arguments, *items, kept_ms(self._retry_for_s))
            reply = self._server.run(subject, script.once, [*names, once.token], given, repeatable=once.repeatable)
        else:
            reply = self._server.run_with(subject, script, names, arguments, items, repeatable=not changes)
        return _required(step, reply)

    def run_each(self, script: Script, steps: Sequence[tuple[Sequence[Condition], Sequence[Change]]]) -> list[Any]:
        """Return the replies of a script that makes several steps, in any order; a large step is sent by itself."""
        prepared = [self._prepared(conditions, changes) for conditions, changes in steps]
        small = {number: step for number, step in enumerate(prepared) if step and _is_small(step.items)}
        calls = [
            Call(subject, names, ("here", *arguments, *items)) for subject, names, arguments, items, _ in small.values()
        ]
        replies = dict(zip(small, self._server.run_each(script, calls), strict=True))
        return [
            _required(small[number], replies[number]) if number in small else self.run(script, conditions, changes)
            for number, (conditions, changes) in enumerate(steps)
        ]

    def _prepared(
        self, conditions: Sequence[Condition], changes: Sequence[Change], claim: Claim | None = None
    ) -> _Prepared | None:
        """Return a step as its script takes it, None if there is nothing to do."""
        asked, made = steps_of(conditions), steps_of(changes)
        if not asked and not made:
            return None
        keys = keys_of(conditions, changes)
        names = list(map(self._server.names.spell, keys))
        if not self._server.several_roots:
            self._check_slots(keys, names)
        if comes_back(made):  # while the slot moves, a key that does not exist makes the script wait until it has
            names.append(self._server.names.beside(names[0]))
        if claim and isinstance(self._server, Cluster):
            asked.append(claimed(claim))
            names.append(self._server.names.fence(claim.key))
        arguments, items = as_arguments(asked, made, keys)
        return _Prepared(Subject(str(keys[0])), names, arguments, items, [*asked, *made])

    def _check_slots(self, keys: Sequence[Key], names: Sequence[bytes]) -> None:
        others = [key for key in keys if key.root != keys[0].root]
        if others and not self._server.share_a_node(names):
            raise BackendError(
                f"{str(keys[0])!r} and {str(others[0])!r} are not in the same slot of the cluster at {self._url}, "
                "which changes keys of one slot in one step; nothing was done; change each object by itself"
            )


def _required(prepared: _Prepared, reply: Any) -> Any:
    """Return the reply to a step.

    Raises:
        WrongShapeError: It says that a key holds another shape.
    """
    if isinstance(reply, int) and reply < 0:
        refused = prepared.steps[-reply - 1]
        raise wrong_shape(Subject(str(refused.key), refused.shape))
    return reply


def _is_small(items: Command) -> bool:
    """Return whether a step may be sent together with others: a server accepts it as to its size."""
    return len(items) <= MAX_ITEMS and sum(len(item) for item in items if not isinstance(item, int)) <= BATCH_BYTES
