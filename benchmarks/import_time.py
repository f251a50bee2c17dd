"""How long an import takes, each in an interpreter of its own."""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.timing import Cell, Row, race

ROOT: Final = Path(__file__).parent.parent
OURS: Final = {
    "redis-py": "import redis",
    "ours": "import persistent_collections",
    "ours, with dicts": "from persistent_collections import PersistentDict",
    "ours, with records": "from persistent_collections import Record",
    "ours, with a Redis store": "from persistent_collections import Record, connect; connect('redis://localhost')",
    "ours, with a SQLite store": "from persistent_collections import Record, connect; connect('sqlite:unused.db')",
    "pottery": "import pottery",
    "redis-dict": "import redis_dict",
    "walrus": "import walrus",
    "diskcache": "import diskcache",
    "sqlitedict": "import sqlitedict",
    "tinydb": "import tinydb",
}
OPTIONAL: Final = ("cryptography", "django", "opentelemetry")
"""What contenders import if it is there, and which is there for the tests of this library: hidden from all."""

OLDER: Final = {"redis-py": "import redis", "redis-collections": "import redis_collections"}


def measured(statements: dict[str, str], rounds: int, python: str = sys.executable) -> dict[str, Cell]:
    """Return the time each statement takes in a fresh interpreter, the first being the yardstick.

    This library is compiled before, as an installed one is.

    Args:
        statements: By name.
        rounds: How often each.
        python: The interpreter.
    """
    compileall.compile_dir(ROOT / "persistent_collections", quiet=1)
    hide = f"import sys, time; sys.modules.update(dict.fromkeys({OPTIONAL}))"
    now = 0.0

    def timed(name: str) -> None:
        nonlocal now
        code = f"{hide}; start = time.process_time(); {statements[name]}; print(time.process_time() - start)"
        done = subprocess.run([python, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - our own statements
        now += float(done.stdout)

    calls = {name: lambda _, name=name: timed(name) for name in statements}
    return race([Row("import", calls)], rounds, 1, lambda: now)["import"]
