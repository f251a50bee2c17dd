"""What a mistake is told as: what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from persistent_collections import PersistentDict, PersistentList, PersistentSet, errors
from persistent_collections.cli.app import app
from persistent_collections.cli.failing import failed
from tests.cli.conftest import MODELS, Run
from tests.cli.models import Sailor
from tests.cli.test_processes import folder, on_terminal

__all__ = ["folder"]

AWAY = "redis://127.0.0.1:1/0?retry_for_s=0"
STORE = ("--url", "memory:mistakes", *MODELS)


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Sailor("ann", backend="memory:mistakes", name="Ann", crew=[Sailor.ref("ann", backend="memory:mistakes")])
    PersistentList("l", [1, 2], backend="memory:mistakes")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ls",), "listing the keys: the server at 127.0.0.1:1 cannot be reached"),
        (("ls", "Sailor:a"), "listing the keys that begin with 'Sailor:a': the server at 127.0.0.1:1 cannot be"),
        (("check",), "listing the keys: the server at 127.0.0.1:1"),
        (("export", "x"), "listing the keys: the server at 127.0.0.1:1"),
        (("show", "Sailor:ann"), "'Sailor:ann': the server at 127.0.0.1:1"),
        (("watch", "Sailor:ann"), "'Sailor:ann': the server at 127.0.0.1:1"),
        (("delete", "Sailor:ann", "-y"), "'Sailor:ann': the server at 127.0.0.1:1"),
    ],
)
def test_an_unreachable_server_is_named_with_what_was_being_done(
    arguments: tuple[str, ...], told: str, run: Run
) -> None:
    assert run("--url", AWAY, *MODELS, *arguments, status=3).startswith(f"persistent-collections: {told}")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((*STORE, "get", "PersistentList:l", "-x"), 2, "-x"),
        ((*STORE, "set", "PersistentList:l", "0", "5", "--txet"), 2, "--txet"),
        ((*STORE, "ls", "--url", "memory:"), 2, "--url; it goes before the command"),
        (
            ("--url", "lines:./x", "ls"),
            2,
            "; if it is yours, import the module that registers it (--models yourapp, before the command)",
        ),
        (
            ("--codec", "zipped", "ls"),
            2,
            "; if it is yours, import the module that registers it (--models yourapp, before the command)",
        ),
        (("--url", "jsn:./x", "ls"), 2, "did you mean 'json'?\n"),
        (
            (*STORE, "get", "PersistentDict:no", "a"),
            1,
            "nothing is stored under 'PersistentDict:no' in memory:mistakes",
        ),
        ((*STORE, "set", "Sailor:ann:crew", "0", ":Bob"), 2, "':Bob' is not a key; write TYPE:ID"),
        ((*STORE, "set", "PersistentList:l", "0", "x"), 2, "VALUE is not JSON ("),
        ((*STORE, "show"), 2, " [CHILD]\n"),
        ((*STORE, "copy"), 2, "Missing argument 'SRC'"),
        ((*STORE, "set", "PersistentList:l", "0", '{"a": 1, "a": 2}'), 2, "VALUE cannot be read: an object has a dupl"),
        (
            (*STORE, "copy", "./data", "memory:"),
            2,
            "'./data' is neither a URL, such as 'json:./data', nor the name of a",
        ),
        ((*STORE, "copy", "memory:mistakes", "data"), 2, "--config FILE defines the names"),
        (("--backend", "cache", "ls"), 2, "(known: default); --config FILE defines the names"),
        (
            ("--models", "./models.py", "ls"),
            2,
            "--models takes the name of a module, such as myapp.models, not './models",
        ),
        (("--models", "models.py", "ls"), 2, "--models takes the name of a module: models\n"),
        (("--models", "", "ls"), 2, "--models takes the name of a module"),
        (("--config", "no.toml", "ls"), 2, ": cannot read the configuration 'no.toml': No such file or directory\n"),
        (("--config", "own.toml", "ls"), 2, "registers it (--models yourapp, before the command)\n"),
        (("--models", "no.such", "ls"), 2, "; searched in {folder} and in Python's module path"),
        (("--url", "redis://127.0.0.1:port", "ls"), 2, "is written 'redis://user:password@host:port/db'"),
        (("--url", "localhost:6379", "ls"), 2, " for 'localhost' URLs (register_backend adds one); known: "),
        (("--url", "redsi://x", "ls"), 2, " for 'redsi' URLs (register_backend adds one); did you mean 'redis'?"),
        ((*STORE, "export", "no/such/file.jsonl"), 3, ": no/such/file.jsonl: No such file or directory"),
        ((*STORE, "import", "missing.jsonl"), 3, ": missing.jsonl: No such file or directory"),
        ((*STORE, "import", "text.jsonl"), 3, "since it was written, or export did not write this file"),
        ((*STORE, "import", "empty.jsonl"), 3, "cut off here, or export did not write this file"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(
    arguments: tuple[str, ...], status: int, told: str, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "text.jsonl").write_text("some text\n", "utf-8")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "own.toml").write_text('backends.default = "quill:"', "utf-8")
    assert told.format(folder=tmp_path) in run(*arguments, status=status)


def test_where_nothing_is_listed_it_is_told_which_store_was_looked_into(tmp_path: Path) -> None:
    url = f"json:{tmp_path}/mistyped"
    (tmp_path / "mistyped").mkdir()
    for arguments, told in (((), "nothing"), (("User",), "no key that starts with 'User'")):
        done = CliRunner().invoke(app, ["--url", url, "ls", *arguments])
        assert (done.exit_code, done.stdout) == (0, "")
        assert done.stderr == f"persistent-collections: {told} is stored in json://{tmp_path}/mistyped\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "{}"),
        ("ls", "--count", "{}"),
        ("check", "--prefix", "{}"),
        ("check", "--prefix", "{}", "--json"),
        ("export", "all.jsonl", "--overwrite", "--prefix", "{}"),
        ("copy", "memory:unmatched", "memory:", "--prefix", "{}"),
    ],
)
def test_where_no_key_matches_the_type_that_may_be_meant_is_told(arguments: tuple[str, ...]) -> None:
    PersistentDict("d", {"a": 1}, backend="memory:unmatched")
    PersistentSet("s", {"a"}, backend="memory:unmatched")
    for prefix, hint in (
        ("PersistntDict:", "; did you mean 'PersistentDict'?"),
        ("User", "; known: 'PersistentDict', 'PersistentSet'"),
        ("PersistentDict:x", ""),
    ):
        told = _told("--url", "memory:unmatched", *(word.format(prefix) for word in arguments))
        said = f"no key that starts with {prefix!r} is stored in memory:unmatched{hint}"
        assert told == f"persistent-collections: {said}\n"
    assert _told("--url", "memory:unmatched", *(word.format("PersistentS") for word in arguments)) == ""


def test_import_says_that_nothing_in_the_file_matches() -> None:
    PersistentDict("d", {"a": 1}, backend="memory:unmatched")
    assert _told("--url", "memory:unmatched", "export", "all.jsonl") == ""
    told = _told("--url", "memory:imported", "import", "all.jsonl", "--prefix", "User")
    assert told == "persistent-collections: no key that starts with 'User' is in all.jsonl\n"


def _told(*arguments: str) -> str:
    """Return what a command that succeeds writes to standard error."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stderr


@pytest.mark.parametrize("scheme", ["json", "sqlite"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("ls",),
        ("show", "Sailor:ann"),
        ("get", "Sailor:ann", "name"),
        ("set", "Sailor:ann", "name", "Ann"),
        ("delete", "Sailor:ann", "--yes"),
        ("check",),
        ("export", "all.jsonl"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_store_that_is_to_be_read_and_is_not_there_is_no_empty_one(
    arguments: tuple[str, ...], scheme: str, tmp_path: Path, run: Run
) -> None:
    told = run("--url", f"{scheme}:./mistyped", *MODELS, *arguments, status=1)
    assert told == f"persistent-collections: no store exists at '{tmp_path}/mistyped'\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["json", "sqlite"])
def test_nothing_is_copied_from_where_no_store_is(scheme: str, tmp_path: Path, run: Run) -> None:
    told = run("copy", f"{scheme}:./mistyped", "sqlite:./x.db", status=1)
    assert told == f"persistent-collections: no store exists at '{tmp_path}/mistyped'\n"
    assert list(tmp_path.iterdir()) == []


def test_where_no_store_is_chosen_it_is_told_where_one_was_looked_for(tmp_path: Path, run: Run) -> None:
    assert run("ls", status=1) == (
        f"persistent-collections: no store exists at '{tmp_path}/persistent-data'; "
        "--url, or the variable PERSISTENT_COLLECTIONS_URL, names another\n"
    )


def test_what_makes_a_store_needs_none(tmp_path: Path, run: Run) -> None:
    run("--url", "json:./made", *MODELS, "set", "--create", "Sailor:ann", "name", "Ann")
    run(*MODELS, "copy", "json:./made", "sqlite:./made.db")
    run("--url", "json:./made", "export", "all.jsonl")
    run("--url", "sqlite:./other.db", "import", "all.jsonl")
    assert run("--url", "sqlite:./made.db", *MODELS, "get", "Sailor:ann", "name") == "Ann\n"


@pytest.mark.parametrize("field", ["name", "password"])
def test_nothing_on_standard_input_is_no_value(field: str, run: Run) -> None:
    before = Sailor.ref("ann", backend="memory:mistakes").to_dict()
    assert "VALUE is missing" in run(*STORE, "set", "Sailor:ann", field, given="", status=2)
    assert Sailor.ref("ann", backend="memory:mistakes").to_dict() == before
    run(*STORE, "set", "Sailor:ann", "name", given="\n")
    assert Sailor.ref("ann", backend="memory:mistakes").name == ""


def test_at_a_terminal_it_is_told_that_a_value_is_waited_for(folder: Path) -> None:
    told = on_terminal(folder, "set", "PersistentDict:settings", "theme", typed='"dark"\n\x04')
    assert "type VALUE now" in told
    assert PersistentDict("settings", backend=f"sqlite:{folder}/app.db")["theme"] == "dark"


EXITS = {
    errors.ObjectNotFound: 1,
    errors.StillReferenced: 1,
    errors.NotUnique: 1,
    errors.ConflictError: 1,
    errors.WrongShapeError: 1,
    errors.SchemaChangedError: 1,
    errors.UnknownFieldError: 2,
    errors.EncodeError: 2,
    errors.NoIndexError: 2,
    errors.PageTokenError: 2,
    errors.TransactionError: 2,
    errors.ConfigurationError: 2,
    errors.DecodeError: 3,
    errors.CorruptDataError: 3,
    errors.BackendUnavailable: 3,
    errors.OutcomeUnknown: 3,
    OSError: 3,
}


@pytest.mark.parametrize("kind", EXITS)
def test_only_a_store_or_a_file_that_fails_ends_with_3(kind: type[Exception]) -> None:
    assert failed(kind("what happened")).exit_code == EXITS[kind]
