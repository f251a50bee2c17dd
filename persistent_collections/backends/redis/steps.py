"""Steps: changes that one script makes together if conditions hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from persistent_collections.backends.changes import Change, Condition, keys_of
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis.changes import as_arguments, claimed, comes_back, steps_of
from persistent_collections.backends.redis.cluster import Cluster
from persistent_collections.backends.redis.entries import Claim
from persistent_collections.backends.redis.executor import Server
from persistent_collections.backends.redis.failures import Subject, wrong_shape
from persistent_collections.backends.redis.putting import as_putting
from persistent_collections.backends.redis.scripts import COMMIT, PUT, Script
from persistent_collections.backends.redis.tokens import Once, kept_ms
from persistent_collections.errors import BackendError


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
        """Return the reply of a script that makes changes if conditions hold and a claim is still valid."""
        asked, made = steps_of(conditions), steps_of(changes)
        if not asked and not made:
            return True
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
        subject = Subject(str(keys[0]))
        if once:
            given = ("here", *arguments, *items, kept_ms(self._retry_for_s))
            reply = self._server.run(subject, script.once, [*names, once.token], given, repeatable=once.repeatable)
        else:
            reply = self._server.run_with(subject, script, names, arguments, items, repeatable=not made)
        if isinstance(reply, int) and reply < 0:
            refused = [*asked, *made][-reply - 1]
            raise wrong_shape(Subject(str(refused.key), refused.shape))
        return reply

    def _check_slots(self, keys: Sequence[Key], names: Sequence[bytes]) -> None:
        others = [key for key in keys if key.root != keys[0].root]
        if others and not self._server.share_a_node(names):
            raise BackendError(
                f"{str(keys[0])!r} and {str(others[0])!r} are not in the same slot of the cluster at {self._url}, "
                "which changes keys of one slot in one step; nothing was done; change each object by itself"
            )
