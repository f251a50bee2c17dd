"""Run operations as commands and scripts, with retries that never execute a write twice."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias, TypeVar

from redis.exceptions import NoScriptError, ResponseError

from persistent_collections import flows
from persistent_collections.backends.redis.connection import Node, Walk, ask_at_once, first_error
from persistent_collections.backends.redis.failures import Failure, Subject, explain, is_passing, is_provisional
from persistent_collections.backends.redis.names import Names
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import Script

Question: TypeAlias = tuple[Subject, Command]

_LOG: Final = logging.getLogger(__name__)

MAX_ITEMS: Final = 400_000
"""The most items per command; a server accepts about a million arguments. Even, so fields stay with their bytes."""

MOST_HOPS: Final = 5
"""How many redirections in a row an operation follows at once; then it pauses."""

_NOT_EXECUTED: Final = NoScriptError()
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.5
_T = TypeVar("_T")


class Call(NamedTuple):
    """One call of a script.

    Attributes:
        subject: Its subject.
        keys: The names of its keys.
        arguments: Its arguments.
    """

    subject: Subject
    keys: Sequence[bytes]
    arguments: Command


class Server:
    """Sends commands to a node.

    A command is sent again, after a pause and within ``retry_for_s`` seconds, only if the first attempt was never sent
    or was refused unexecuted, or if the command only reads.

    Args:
        node: Executes them.
        names: The names of keys in Redis.
        retry_for_s: Seconds after which no new attempt starts.
        page_sizes: The page size of each iteration.
    """

    several_roots: ClassVar[bool] = True

    def __init__(self, node: Node, names: Names, retry_for_s: float, page_sizes: Iterator[int]) -> None:
        self.names = names
        self._node = node
        self._retry_for_s = retry_for_s
        self._page_sizes = page_sizes

    def share_a_node(self, names: Sequence[bytes]) -> bool:
        """Return whether one command may work on all of these keys."""
        del names
        return True

    def ask(self, subject: Subject, command: Command, *, repeatable: bool, none_if: Sequence[str] = ()) -> Any:
        """Return the reply to one command.

        Args:
            subject: The subject of the command.
            command: The command and its arguments.
            repeatable: Whether executing it twice does no harm.
            none_if: Refusals that mean None.

        Raises:
            PersistentCollectionsError: It was not answered or was refused.
        """
        reply = self._reply(subject, [command], repeatable=repeatable)
        return self._checked(subject, reply, none_if) if isinstance(reply, ResponseError) else reply

    def run(
        self,
        subject: Subject,
        script: Script,
        keys: Sequence[bytes],
        arguments: Command,
        *,
        repeatable: bool = False,
        none_if: Sequence[str] = (),
    ) -> Any:
        """Return the result of a script; send its source if the server doesn't have it; otherwise like :meth:`ask`.

        Source: Redis ``EVALSHA``; ``NOSCRIPT`` means that nothing was executed.
        """
        command = ("EVALSHA", script.digest, len(keys), *keys, *arguments)
        reply = self._reply(subject, [command], repeatable=repeatable)
        if isinstance(reply, NoScriptError):
            reply = self._reply(subject, [("EVAL", script.source, *command[2:])], repeatable=repeatable)
        return self._checked(subject, reply, none_if) if isinstance(reply, ResponseError) else reply

    def run_with(
        self,
        subject: Subject,
        script: Script,
        keys: Sequence[bytes],
        arguments: Command,
        items: Command,
        *,
        repeatable: bool = False,
    ) -> Any:
        """Return the result of a script with any number of items.

        More items than one command may carry are staged, within one transaction, in a list of their own.
        There the source is sent, since a missing script would not keep the rest of the transaction from being done.
        """
        if len(items) <= MAX_ITEMS:
            return self.run(subject, script, keys, ("here", *arguments, *items), repeatable=repeatable)
        stage = self.names.beside(keys[0])
        pieces = (items[start : start + MAX_ITEMS] for start in range(0, len(items), MAX_ITEMS))
        commands: list[Command] = [("RPUSH", stage, *piece) for piece in pieces]
        commands.append(("EVAL", script.source, len(keys) + 1, *keys, stage, "staged", *arguments))
        commands.append(("UNLINK", stage))
        return self.transact(subject, commands, repeatable=repeatable)[-2]

    def run_each(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Return the results of a script that writes, for some calls in any order, in one round trip per node.

        A call that its node refused unexecuted for now, or could not be sent, is made again by itself.

        Raises:
            PersistentCollectionsError: One was refused, or the outcome is not known; others may have been executed.
        """
        commands: list[Command] = [
            ("EVALSHA", script.digest, len(call.keys), *call.keys, *call.arguments) for call in calls
        ]
        results = self._executed(script, calls, commands)
        return [
            self.run(call.subject, script, call.keys, call.arguments)
            if isinstance(result, NoScriptError) or is_provisional(result)
            else self._checked(call.subject, result)
            for call, result in zip(calls, results, strict=True)
        ]

    def run_all(self, calls: Sequence[tuple[Script, Call]]) -> list[Any]:
        """Return the results of scripts that may be executed twice, each at its own moment, in one round trip per node.

        Nodes that don't have a script get its source, in a second round trip.

        Raises:
            PersistentCollectionsError: They were not executed, or one of them was refused.
        """
        results = self.ask_all([_asking("EVALSHA", script.digest, call) for script, call in calls])
        missing = [number for number, result in enumerate(results) if isinstance(result, NoScriptError)]
        sourced = self.ask_all(
            [_asking("EVAL", script.source, call) for script, call in map(calls.__getitem__, missing)]
        )
        for number, result in zip(missing, sourced, strict=True):
            results[number] = result
        return results

    def _executed(self, script: Script, calls: Sequence[Call], commands: list[Command]) -> list[Any]:
        """Return the replies to the commands that call a script, as if it were missing where none was executed."""
        groups = self._groups(commands)
        for numbers in groups.values():  # the first one brings the source, so that the node has it for the others
            commands[numbers[0]] = ("EVAL", script.source, *commands[numbers[0]][2:])
        answers = ask_at_once([(node, [commands[number] for number in numbers]) for node, numbers in groups.items()])
        results: list[Any] = [_NOT_EXECUTED] * len(calls)
        unknown: dict[Node, Failure] = {}
        for (node, numbers), replies in zip(groups.items(), answers, strict=True):
            if isinstance(replies, list):
                for number, reply in zip(numbers, replies, strict=True):
                    results[number] = reply
            elif not replies.nothing_done:
                unknown[node] = replies
        for node, failure in unknown.items():
            subject = calls[groups[node][0]].subject
            raise explain(failure.error, subject, node.address, nothing_done=False, remedy=node.remedy)
        return results

    def transact(self, subject: Subject, commands: Sequence[Command], *, repeatable: bool) -> list[Any]:
        """Return the replies to several commands executed as one step, in one round trip.

        Raises:
            PersistentCollectionsError: They were not answered, or one of them was refused.
        """
        reply = self._reply(subject, [("MULTI",), *commands, ("EXEC",)], repeatable=repeatable)
        return [self._checked(subject, part) for part in self._checked(subject, reply)]

    def ask_all(self, questions: Sequence[Question]) -> list[Any]:
        """Return the replies to many reading commands, each at its own moment, in one round trip.

        Raises:
            PersistentCollectionsError: They were not answered, or one of them was refused.
        """
        if not questions:
            return []
        commands = [command for _, command in questions]
        replies = self._done(questions[0][0], commands, Node.attempt, repeatable=True)
        return [self._checked(subject, reply) for (subject, _), reply in zip(questions, replies, strict=True)]

    def scan(self, subject: Subject, command: Command, options: Command = ()) -> Iterator[list[bytes]]:
        """Yield the pages of a ``SCAN``, ``HSCAN`` or ``SSCAN``, which may contain repeats.

        Elements present from start to end are included, even if another process replaces the server meanwhile.
        """
        walk = Walk(command, self._paged(options))
        while not walk.ended:
            yield self._done(subject, [command], lambda node, _: node.step(walk), repeatable=True)

    def scan_names(self, subject: Subject, options: Command) -> Iterator[list[bytes]]:
        """Yield the names of all keys in pages, as :meth:`scan` does."""
        return self.scan(subject, ("SCAN",), options)

    def _checked(self, subject: Subject, reply: Any, none_if: Sequence[str] = ()) -> Any:
        """Return a reply, also the refusal of a script that is missing: with its source, it is sent again.

        Raises:
            PersistentCollectionsError: It is another refusal.
        """
        if not isinstance(reply, ResponseError) or isinstance(reply, NoScriptError):
            return reply
        if any(text in str(reply) for text in none_if):
            return None
        raise explain(reply, subject, self._node.address, nothing_done=True)

    def _reply(self, subject: Subject, commands: Sequence[Command], *, repeatable: bool) -> Any:
        """Return the last reply, or the first that is an error."""
        replies = self._done(subject, commands, Node.attempt, repeatable=repeatable)
        return replies[0] if len(replies) == 1 else first_error(replies) or replies[-1]

    def _paged(self, options: Command) -> Command:
        """Return the options of the steps of one iteration."""
        return (*options, "COUNT", next(self._page_sizes))

    def _done(
        self,
        subject: Subject,
        commands: Sequence[Command],
        attempt: Callable[[Node, Sequence[Command]], _T],
        *,
        repeatable: bool,
    ) -> _T:
        """Return the result of ``attempt``, which executes ``commands``, after as many tries as are safe and needed."""
        begun_s = time.monotonic()
        patience: Patience | None = None
        named: Node | None = None
        hops = 0
        while True:
            node = self._node
            try:
                node = named or self._node_for(commands)
                return attempt(node, commands)
            except Failure as failure:  # deleted at once: its frames hold a link
                named = self._learn_from(failure, node)
                if named is not None and hops < MOST_HOPS:
                    hops += 1
                    continue
                patience = patience or Patience(begun_s + self._retry_for_s)
                self._pause(subject, commands[0][0], failure, node, patience, repeatable=repeatable)

    def _pause(
        self,
        subject: Subject,
        command: bytes | str | int,
        failure: Failure,
        node: Node,
        patience: Patience,
        *,
        repeatable: bool,
    ) -> None:
        """Pause before the next attempt.

        Raises:
            PersistentCollectionsError: Another attempt is not safe, would fail too, or is too late.
        """
        nothing_done = failure.nothing_done or repeatable
        about = command, subject.type_name, node.address, type(failure.error).__name__
        if not nothing_done:
            _LOG.warning("%s of a %s at %s: %s, and it may have been done", *about)
        if not (nothing_done and is_passing(failure.error) and patience.pause()):
            raise explain(failure.error, subject, node.address, nothing_done=nothing_done, remedy=node.remedy)
        _LOG.debug("%s of a %s at %s: %s, and it is tried again", *about)

    def _groups(self, commands: Sequence[Command]) -> Mapping[Node, list[int]]:
        """Return the numbers of the commands that each node executes, as far as that is known."""
        return {self._node: list(range(len(commands)))}

    def _node_for(self, commands: Sequence[Command]) -> Node:
        """Return the node that executes ``commands``.

        Raises:
            Failure: The outcome is unknown.
        """
        del commands
        return self._node

    def _learn_from(self, failure: Failure, node: Node) -> Node | None:
        """Update the topology from a failure at ``node``; return the node it names, if it does."""
        del failure, node
        return None


def _asking(command: str, script: str, call: Call) -> Question:
    return call.subject, (command, script, len(call.keys), *call.keys, *call.arguments)


class Patience:
    """Growing pauses up to a deadline, each shortened at random so that clients do not return all at once.

    Args:
        deadline_s: The deadline, by the monotonic clock.
    """

    __slots__ = ("_deadline_s", "_longest_s")

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._longest_s = _FIRST_PAUSE_S

    def pause(self) -> bool:
        """Pause and return True; return False if the deadline comes first."""
        pause_s = random.uniform(0, self._longest_s)  # noqa: S311 - spreads load, not a secret
        if time.monotonic() + pause_s > self._deadline_s:
            return False
        flows.sleep(pause_s)
        self._longest_s = min(2 * self._longest_s, _LONGEST_PAUSE_S)
        return True
