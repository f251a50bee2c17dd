"""The common base of the handles of all shapes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.popped import last_part
from persistent_collections.backends.redis.executor import MAX_ITEMS, Server
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import COMMAND, FEED, REPLACE, Role, Write
from persistent_collections.backends.shapes import Shape, child_is_field
from persistent_collections.errors import ObjectNotFound

_FEW: Final = 4000
"""Items that a script passes on to one command."""


class Handle:
    """One key of a server.

    A write by one command is that command for a key without an owner, and otherwise a script around it.

    Args:
        server: Executes the commands.
        key: The key.
        url: The URL of the store, for messages.
        is_record: As for ``Backend.open``.

    Attributes:
        shape: The shape of its content.
        type_name: Redis's name for that shape.
        size_command: Counts its items, and fails on another shape.
        put_command: The command that adds any number of items.
        same_step: The kind of step of ``commit.lua`` that compares these items, if their number is right.
        read_command: The command that reads all items: its parts before and after the name of the key.
    """

    shape: ClassVar[Shape]
    type_name: ClassVar[str]
    size_command: ClassVar[str]
    put_command: ClassVar[str]
    same_step: ClassVar[str]
    read_command: ClassVar[tuple[str, Command]]

    def __init__(self, server: Server, key: Key, url: str, *, is_record: bool = False) -> None:
        self._server = server
        self._key = key
        self._url = url
        self._subject = Subject(str(key), self.shape)
        self._name = server.names.spell(key)
        self._role: Role = "record" if is_record else "plain"
        self._names = [self._name]
        if key.child is not None:
            self._role = "child"
            self._names.append(server.names.spell(key.owner))

    @staticmethod
    @abstractmethod
    def content_of(reply: Any, name: str) -> Content:
        """Return the content in the reply to ``read_command`` about the key ``name``."""

    @staticmethod
    @abstractmethod
    def items_of(content: Any) -> Command:
        """Return the arguments of ``put_command`` that store ``content``, and of ``same_step``."""

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
        """Run one command. A record's own key must not be empty after it."""
        if self._role == "plain":
            return self._server.ask(self._subject, (command, self._name, *arguments), repeatable=False, none_if=none_if)
        return self._run(COMMAND, command, *arguments, none_if=none_if)

    def _feed(self, command: str, items: Command) -> int:
        """Run a command with any number of items; without any, only shape and owner are checked."""
        if not items:
            self._write(self.size_command)
            return 0
        if self._role != "plain":
            is_few = len(items) <= _FEW
            return int(self._run(COMMAND, command, *items) if is_few else self._run_with(FEED, items, command))
        if len(items) <= MAX_ITEMS:
            return int(self._server.ask(self._subject, (command, self._name, *items), repeatable=False))
        pieces = (items[start : start + MAX_ITEMS] for start in range(0, len(items), MAX_ITEMS))
        commands = [(command, self._name, *piece) for piece in pieces]
        return sum(self._server.transact(self._subject, commands, repeatable=False))

    def _put_instead(self, items: Command) -> None:
        """Put items in place of all."""
        self._run_with(REPLACE, items, self.size_command, self.put_command)

    def _run(self, write: Write, *arguments: bytes | str | int, none_if: Sequence[str] = ()) -> Any:
        script = write[self._role]
        return self._existing(self._server.run(self._subject, script, self._names, arguments, none_if=none_if))

    def _run_with(self, write: Write, items: Command, *arguments: bytes | str | int) -> Any:
        script = write[self._role]
        return self._existing(self._server.run_with(self._subject, script, self._names, arguments, items))

    def _popped(self, reply: Any) -> Any:
        """Return the reply of a script that pops a part, with the remaining time of its object."""
        return last_part(reply[0], reply[1] / 1000) if isinstance(reply, list) else reply

    def _put_back(self, command: str, *parts: bytes, ttl_s: float | None) -> None:
        """Restore a popped part that must not be deleted, since others wrote it."""
        if ttl_s is None or self._role != "plain":  # a child takes the deadline of its record
            self._write(command, *parts)
            return
        commands: Sequence[Command] = [(command, self._name, *parts), ("PEXPIRE", self._name, round(ttl_s * 1000))]
        self._server.transact(self._subject, commands, repeatable=False)

    def _existing(self, reply: Any) -> Any:
        """Return the reply to a script that writes.

        Raises:
            ObjectNotFound: The reply says that the owner does not exist.
            SchemaChangedError: The reply says that the owner has a field with the child's name.
        """
        if reply == []:
            raise ObjectNotFound(f"{str(self._key.owner)!r} does not exist in {self._url}")
        if reply == [[]]:
            raise child_is_field(self._key)
        return reply
