"""A thread that writes while a test takes servers away."""

from __future__ import annotations

import threading
from itertools import count
from typing import Self

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Make
from persistent_collections.backends.keys import Key
from persistent_collections.errors import BackendUnavailable, OutcomeUnknown
from tests.servers import wait_until


class Writer:
    """Appends numbers to a list from its making to the end of the block.

    Attributes:
        key: Of the list; if it is a child, its record is made.
        acknowledged: Those whose append was said to be done, in their order.
        unknown: Those of which it is not known.
    """

    def __init__(self, backend: Backend, key: Key) -> None:
        self.key = key
        self.acknowledged: list[bytes] = []
        self.unknown: set[bytes] = set()
        if key.child is not None:
            backend.commit([], [Make(key.owner, {"f": b"1"})])
        self._sequence = backend.sequence(key)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait(self, more: int = 100) -> None:
        """Return when so many more were acknowledged."""
        enough = len(self.acknowledged) + more
        wait_until(lambda: len(self.acknowledged) >= enough, f"nothing was written to {self.key}")

    def check(self, stored: list[bytes]) -> None:
        """Hold what is stored to what was written: nothing else, in order, and nothing twice."""
        assert stored == sorted(set(stored), key=int)
        assert set(stored) <= {*self.acknowledged, *self.unknown}

    def _run(self) -> None:
        for number in count():
            if self._stop.is_set():
                return
            try:
                self._sequence.push_right([b"%d" % number])
                self.acknowledged.append(b"%d" % number)
            except OutcomeUnknown:
                self.unknown.add(b"%d" % number)
            except BackendUnavailable:
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
