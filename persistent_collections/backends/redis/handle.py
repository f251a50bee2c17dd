"""What the handles of the three shapes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from persistent_collections.backends.base import Key, Shape
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.node import Command
from persistent_collections.backends.redis.scripts import FEED, REPLACE, Script
from persistent_collections.backends.redis.server import MAX_ITEMS, Server


class Handle:
    """One key of a server.

    Attributes:
        shape: What it holds.
        size_command: Counts its items, and fails on another shape.
        put_command: Puts any number of items in.
    """

    shape: ClassVar[Shape]
    size_command: ClassVar[str]
    put_command: ClassVar[str]

    def __init__(self, server: Server, key: Key, kin: Sequence[Key]) -> None:
        self._server = server
        self._subject = Subject(str(key), self.shape)
        self._name = server.names.spell(key)
        self._kin = [server.names.spell(other) for other in kin if other != key]

    def size(self) -> int:
        return int(self._read(self.size_command))

    def _read(self, command: str, *arguments: bytes | str | int) -> Any:
        return self._server.ask(self._subject, (command, self._name, *arguments), repeatable=True)

    def _read_at_once(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that read, all at one moment."""
        if len(commands) == 1:
            return [self._server.ask(self._subject, commands[0], repeatable=True)]
        return self._server.transact(self._subject, commands, repeatable=True)

    def _write(self, command: str, *arguments: bytes | str | int, none_if: Sequence[str] = ()) -> Any:
        """Run a command that does not make the key."""
        return self._server.ask(self._subject, (command, self._name, *arguments), repeatable=False, none_if=none_if)

    def _feed(self, command: str, items: Command, *, makes_key: bool) -> int:
        """Run a command that takes any number of items; without any, only the shape is checked."""
        if not items:
            self.size()
            return 0
        if makes_key and self._kin:
            return int(self._run_with(FEED, items, command))
        if len(items) <= MAX_ITEMS:
            return int(self._server.ask(self._subject, (command, self._name, *items), repeatable=False))
        pieces = (items[start : start + MAX_ITEMS] for start in range(0, len(items), MAX_ITEMS))
        commands = [(command, self._name, *piece) for piece in pieces]
        return sum(self._server.transact(self._subject, commands, repeatable=False))

    def _put_instead(self, items: Command) -> None:
        """Put items in place of all."""
        self._run_with(REPLACE, items, self.size_command, self.put_command)

    def _run(
        self,
        script: Script,
        *arguments: bytes | str | int,
        repeatable: bool = False,
        none_if: Sequence[str] = (),
    ) -> Any:
        keys = [self._name, *self._kin]
        return self._server.run(self._subject, script, keys, arguments, repeatable=repeatable, none_if=none_if)

    def _run_with(self, script: Script, items: Command, *arguments: bytes | str | int) -> Any:
        return self._server.run_with(self._subject, script, [self._name, *self._kin], arguments, items)
