from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import persistent_collections

PACKAGE = Path(persistent_collections.__file__).parent

PUBLIC = [
    "Backend",
    "BackendError",
    "BackendUnavailable",
    "Codec",
    "ConfigurationError",
    "ConflictError",
    "CorruptDataError",
    "DecodeError",
    "EncodeError",
    "ObjectExists",
    "ObjectNotFound",
    "OutcomeUnknown",
    "Password",
    "PersistentCollectionsError",
    "PersistentDict",
    "PersistentList",
    "PersistentObject",
    "PersistentSet",
    "Record",
    "SlowHabitWarning",
    "UnknownFieldError",
    "WrongShapeError",
    "child",
    "codec",
    "configure",
    "connect",
    "current_backend",
    "fetch",
    "get_codec",
    "lift",
    "lower",
    "make_record",
    "register_backend",
    "register_codec",
    "register_type",
    "stored_as",
    "use_backend",
]

WATCH = """
import os, socket, sys
from collections.abc import MutableMapping

opened, asked = [], []
EVENTS = {"socket.connect", "socket.getaddrinfo", "os.mkdir", "os.rename", "os.remove", "subprocess.Popen"}
sys.addaudithook(lambda event, args: opened.append((event, args)) if event in EVENTS else None)

class Watched(MutableMapping):
    def __init__(self, kept): self._kept = kept
    def __getitem__(self, name): asked.append(name); return self._kept[name]
    def __setitem__(self, name, value): self._kept[name] = value
    def __delitem__(self, name): del self._kept[name]
    def __iter__(self): return iter(self._kept)
    def __len__(self): return len(self._kept)

os.environ = Watched(os.environ)
"""

DECLARE = """
from persistent_collections import Password, PersistentDict, PersistentList, PersistentSet, Record, child

class User(Record, backend="redis://127.0.0.1:1"):
    name: str
    friends: PersistentList["User"] = child()

class Session(Record, backend="sessions"):
    user: User | None
    tags: list[str] = []

settings, items, colours = PersistentDict("settings"), PersistentList[int]("items"), PersistentSet("colours")
elsewhere = PersistentDict("settings", backend="sessions")
user, session = User("x"), Session("y")
friends = user.friends
"""

BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def run(script: str, folder: Path, *options: str) -> list[str]:
    command = [sys.executable, *options, "-c", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_public_names_are_these() -> None:
    assert persistent_collections.__all__ == PUBLIC
    assert all(hasattr(persistent_collections, name) for name in PUBLIC)


def test_the_front_door_re_exports_and_does_nothing_else() -> None:
    body = ast.parse((PACKAGE / "__init__.py").read_text("utf-8")).body
    docstring, *imports, names = body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(statement, ast.ImportFrom) for statement in imports)
    assert isinstance(names, ast.Assign)


@pytest.mark.parametrize("script", ["import persistent_collections", DECLARE], ids=["import", "declare"])
def test_no_client_library_is_imported_before_an_operation_needs_it(script: str, tmp_path: Path) -> None:
    [loaded] = run(f"{script}\nimport sys; print(sorted(set(sys.modules)))", tmp_path)
    packages = {name.partition(".")[0] for name in ast.literal_eval(loaded)}
    assert not packages & {
        "redis",
        "fakeredis",
        "bcrypt",
        "sqlite3",
        "pytest",
        "msgpack",
        "lupa",
        "hiredis",
        "hypothesis",
        "opentelemetry",
    }


@pytest.mark.parametrize("script", ["import persistent_collections", DECLARE], ids=["import", "declare"])
def test_nothing_is_made_connected_to_or_asked_of_the_environment_before_an_operation(
    script: str, tmp_path: Path
) -> None:
    report = "print(opened); print([name for name in asked if 'PERSISTENT' in name or 'REDIS' in name])"
    assert run(f"{WATCH}\n{script}\n{report}", tmp_path, "-B") == ["[]", "[]"]
    assert list(tmp_path.iterdir()) == []


def test_reading_the_default_store_makes_nothing(tmp_path: Path) -> None:
    script = """
    from persistent_collections import PersistentDict, PersistentList, Record
    d = PersistentDict("d")
    print(len(d), d.get("a"), list(d), bool(d), d.copy(), "a" in d, PersistentList("l")[:], list(PersistentList.ids()))
    print(d.delete(), d.pop("a", 1), d.ttl())
    """
    assert run(textwrap.dedent(script), tmp_path, "-B") == ["0 None [] False {} False [] []", "False 1 None"]
    assert list(tmp_path.iterdir()) == []


def test_an_operation_imports_no_client_but_that_of_its_store(tmp_path: Path) -> None:
    use = """
import sys
from persistent_collections import configure
configure({"backends": {"default": "memory:", "sessions": "memory:"}})
settings["a"] = (1, 2)
items.append(1)
Session("y", tags=["a"])
print([name for name in ("redis", "fakeredis", "bcrypt", "sqlite3", "msgpack", "opentelemetry") if name in sys.modules])
"""
    assert run(DECLARE + use, tmp_path) == ["[]"]


MISSING: list[tuple[str, str, str]] = [
    ("redis", "redis", "from persistent_collections import connect; connect('redis://localhost')"),
    ("redis", "redis", "from persistent_collections import configure; configure('unix:///tmp/redis.sock')"),
    ("fakeredis", "fakeredis", "from persistent_collections import connect; connect('fakeredis://')"),
    ("redis", "fakeredis", "from persistent_collections import connect; connect('fakeredis://')"),
    (
        "lupa",
        "fakeredis",
        "from persistent_collections import PersistentList; "
        "PersistentList('x', [1, 2, 3], backend='fakeredis://').pop(1)",
    ),
    ("opentelemetry", "opentelemetry", "from persistent_collections import connect; connect('memory:?spans=on')"),
    ("bcrypt", "bcrypt", "from persistent_collections import get_codec; get_codec('bcrypt')"),
    ("bcrypt", "bcrypt", "from persistent_collections import Password, make_record; make_record('U', {'p': Password})"),
]


@pytest.mark.parametrize(("module", "extra", "use"), MISSING)
def test_without_an_extra_the_error_says_what_to_install(module: str, extra: str, use: str, tmp_path: Path) -> None:
    script = f"""{BLOCK.format(module=module)}
try:
    {use}
except Exception as error:
    print(type(error).__name__)
    print(error)
"""
    kind, message = run(script, tmp_path)
    assert kind == "ConfigurationError"
    install = rf"pip install 'persistent-collections\[{extra}\]'"
    needed = rf"(this store|the codec 'bcrypt'|the option 'spans') needs [^;]*: {install}"
    assert re.fullmatch(needed, message)


def test_without_any_extra_all_else_works(tmp_path: Path) -> None:
    extras = ("redis", "fakeredis", "bcrypt", "lupa", "opentelemetry", "pytest")
    blocks = "\n".join(BLOCK.format(module=module) for module in extras)
    script = """
class User(Record):
    name: str
    friends: PersistentList["User"] = child()

luke = User("luke", name="Luke", friends=[User.ref("han")])
print(luke.name, luke.friends[0].id, User.count())
"""
    imports = "from persistent_collections import PersistentList, Record, child"
    assert run(f"{blocks}\n{imports}\n{script}", tmp_path) == ["Luke han 1"]


def test_no_class_of_ours_has_a_metaclass_or_a_finaliser() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.FunctionDef) and node.name == "__del__"), path
            assert not (isinstance(node, ast.ClassDef) and any(word.arg == "metaclass" for word in node.keywords)), path


def test_nothing_stored_is_read_by_what_could_run_it() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if path != PACKAGE / "cli" / "shell.py":  # which runs what a person gives it, and reads nothing stored
            assert not names & {"eval", "exec"}, path
        assert not imported & {"pickle", "marshal", "shelve"}, path
