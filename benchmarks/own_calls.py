"""How many of our own functions the five plainest operations pass through: ``python -m benchmarks.own_calls``.

Handles are warm. A generator counts at each step that it makes. The counts do not depend on the machine, so that a test
can hold them (``tests/test_own_calls.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Final

import persistent_collections
from persistent_collections import Backend, PersistentDict, PersistentList, Record, child, connect
from tests.servers import run_server

PACKAGE: Final = str(Path(persistent_collections.__file__).parent)


class Friend(Record, name="CountedFriend"):
    """A record with a child of references."""

    name: str
    friends: PersistentList[Friend] = child()


def operations(backend: Backend) -> dict[str, Callable[[], object]]:
    """Return the operations, on objects of ``backend`` that are made and used here before."""
    fields = PersistentDict[str, Any]("d", {"k": 1}, backend=backend)
    luke, han = (Friend(name, name=name, backend=backend) for name in ("luke", "han"))

    def set_attribute() -> None:
        luke.name = "Luke"

    made: dict[str, Callable[[], object]] = {
        "d[k]": lambda: fields["k"],
        "d[k] = v": lambda: fields.__setitem__("k", 2),
        "r.f": lambda: luke.name,
        "r.f = v": set_attribute,
        "r.l.append(ref)": lambda: luke.friends.append(han),
    }
    for operation in made.values():
        operation()
        operation()
    return made


def counted(operation: Callable[[], object]) -> list[str]:
    """Return the name of each of our own functions that ``operation`` enters."""
    names: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            names.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        operation()
    finally:
        sys.setprofile(before)
    return names


def counts(backend: Backend) -> dict[str, int]:
    """Return how many calls each operation passes through in ``backend``."""
    return {title: len(counted(operation)) for title, operation in operations(backend).items()}


def main() -> None:
    """Print the counts on each store."""
    with TemporaryDirectory() as folder, run_server() as server:
        for url in ("memory:", f"json:{folder}/json", f"sqlite:{folder}/store.db", server.url):
            with connect(url) as backend:
                print(url.partition(":")[0], *(f"{title}: {n}" for title, n in counts(backend).items()), sep=", ")


if __name__ == "__main__":
    main()
