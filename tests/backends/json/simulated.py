"""A file system in memory that can be killed and cut off from power between any two operations."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from random import Random

from persistent_collections.backends.holding import Held
from persistent_collections.backends.json.files import Files, Item, Signature


class Stopped(BaseException):
    """The process is dead; nothing it still tries has any effect."""


class Node:
    """A file that never changes once it is made, or a directory."""

    numbers = count(1)

    def __init__(self, data: bytes | None, *, synced: bool) -> None:
        self.number = next(self.numbers)
        self.data = data
        self.synced = synced


Move = tuple[Path, Node | None]
"""A name, and what it names from then on."""


class SimulatedFiles(Files):
    """Names changed in a directory reach the disk when it is synced, or at any time before, or never.

    Args:
        root: A directory that is there from the start.
        orderly: Whether names reach the disk in the order in which they changed, as a journal keeps it, those of a
            rename together. Otherwise each does, or does not, as luck has it.
    """

    def __init__(self, root: Path, *, orderly: bool) -> None:
        self.orderly = orderly
        self.disk: dict[Path, Node] = {path: Node(None, synced=True) for path in (root, *root.parents)}
        self.names = dict(self.disk)
        self.unsynced: list[list[Move]] = []
        self.steps_left: int | None = None
        self.interrupt: Callable[[], None] | None = None
        self.calm_steps = 0

    def stop_after(self, steps: int | None) -> None:
        """Let the process die instead of making the change after ``steps`` more; None lets it live again."""
        self.steps_left = steps

    def interrupt_after(self, steps: int, interrupt: Callable[[], None]) -> None:
        """Let something else happen once, after ``steps`` more operations."""
        self.interrupt, self.calm_steps = interrupt, steps

    def cut_power(self, random: Random) -> None:
        """Lose what the disk has not got, all or some of it."""
        moves = [move for moves in self.unsynced for move in moves if random.random() < 0.5]
        if self.orderly:
            moves = [move for moves in self.unsynced[: random.randint(0, len(self.unsynced))] for move in moves]
        self._reach_disk(moves)
        self.disk = {path: node for path, node in self.disk.items() if all(map(self._is_kept, path.parents))}
        for node in self.disk.values():
            if node.data is not None and not node.synced:
                kept = node.data[: random.choice([0, len(node.data) // 2, len(node.data)])]
                node.data = random.choice([kept, kept.ljust(len(node.data), b"\0")])
        self.names, self.unsynced = dict(self.disk), []

    def signature(self, path: Path) -> Signature | None:
        self._take_step(0)
        node = self.names.get(path)
        return None if node is None else Signature(node.number, len(node.data or b""), 0, 0)

    def refuse_links(self, paths: Iterable[Path]) -> None:
        """Do nothing: there are no links."""

    def read(self, path: Path) -> tuple[bytes, Signature] | None:
        signature = self.signature(path)
        node = self.names.get(path)
        return None if node is None or node.data is None or signature is None else (node.data, signature)

    def create(self, path: Path, data: bytes, *, sync: bool) -> None:
        self._take_step()
        if path in self.names or path.parent not in self.names:
            raise OSError(errno.EEXIST, "exists, or nowhere to put it", str(path))
        self._change((path, Node(data, synced=sync)))

    def replace(self, source: Path, target: Path) -> None:
        self._take_step()
        if target.parent not in self.names:
            raise FileNotFoundError(errno.ENOENT, "nowhere to put it", str(target))
        self._change((source, None), (target, self.names[source]))

    def unlink(self, path: Path) -> None:
        self._take_step()
        if path in self.names:
            self._change((path, None))

    def is_directory(self, path: Path) -> bool:
        return path in self.names and self.names[path].data is None

    def make_directory(self, path: Path) -> bool:
        self._take_step()
        if path in self.names:
            return False
        if path.parent not in self.names:
            raise FileNotFoundError(errno.ENOENT, "nowhere to put it", str(path))
        self._change((path, Node(None, synced=True)))
        return True

    def remove_directory(self, path: Path) -> bool:
        self._take_step()
        if not self.is_directory(path) or any(path in other.parents for other in self.names):
            return False
        self._change((path, None))
        return True

    def sync_directory(self, path: Path) -> None:
        self._take_step()
        last = max((i for i, moves in enumerate(self.unsynced) if any(p.parent == path for p, _ in moves)), default=-1)
        if self.orderly:
            self._reach_disk([move for moves in self.unsynced[: last + 1] for move in moves])
            del self.unsynced[: last + 1]
        else:
            self._reach_disk([move for moves in self.unsynced for move in moves if move[0].parent == path])
            self.unsynced = [[move for move in moves if move[0].parent != path] for moves in self.unsynced]

    def scan(self, path: Path) -> list[Item]:
        return [
            Item(other.name, node.data is None, len(node.data or b""))
            for other, node in self.names.items()
            if other.parent == path != other
        ]

    def lock(self, path: Path, timeout_s: float, held: Held) -> bool:
        return True  # there is one process

    def _take_step(self, cost: int = 1) -> None:
        if self.interrupt:
            if self.calm_steps == 0:
                interrupt, self.interrupt = self.interrupt, None
                interrupt()
            self.calm_steps -= 1
        if self.steps_left is not None:
            if self.steps_left < cost or self.steps_left < 0:
                self.steps_left = -1
                raise Stopped
            self.steps_left -= cost

    def _change(self, *moves: Move) -> None:
        self.unsynced.append(list(moves))
        for path, node in moves:
            _move(self.names, path, node)

    def _reach_disk(self, moves: list[Move]) -> None:
        for path, node in moves:
            _move(self.disk, path, node)

    def _is_kept(self, directory: Path) -> bool:
        return directory in self.disk and self.disk[directory].data is None


def _move(names: dict[Path, Node], path: Path, node: Node | None) -> None:
    if node is None:
        names.pop(path, None)
    else:
        names[path] = node
