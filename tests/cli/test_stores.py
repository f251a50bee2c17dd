from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from persistent_collections import PersistentDict, PersistentList, connect
from persistent_collections.backends.keys import Key
from persistent_collections.cli import checks
from persistent_collections.cli.app import app
from persistent_collections.cli.failing import message_of
from persistent_collections.errors import ConfigurationError
from persistent_collections.remedies import Advice, Argument, ImportModule, NameCodec, Remedy
from tests.cli.conftest import MODELS, Objects, Run
from tests.cli.models import Sailor
from tests.servers import RunningServer


@pytest.fixture
def source(tmp_path: Path) -> str:
    url = f"json:{tmp_path}/source?fsync=off"
    Sailor("ann", backend=url, name="Ann", password="Ahoy", crew=[Sailor("bob", backend=url, name="Bob")])
    PersistentDict("settings", {"theme": "dark"}, backend=url)
    return url


def test_copy_brings_everything_along_and_says_so(source: str, url: str, objects: Objects, run: Run) -> None:
    copy = (*MODELS, "--codec", "json", "copy", source, url)
    assert run(*copy).startswith("copied 3, replaced 0, skipped 0, equal 0, expired 0, foreign 0: ")
    assert Sailor.load("ann", backend=url).password.verify("Ahoy")
    assert objects(*copy) == [{"copied": 0, "replaced": 0, "skipped": 0, "equal": 3, "expired": 0, "foreign": 0}]


def test_what_is_there_and_differs_stops_a_copy_unless_told(source: str, tmp_path: Path, run: Run) -> None:
    target = f"sqlite:{tmp_path}/target.db"
    kept = PersistentDict("settings", {"theme": "light"}, backend=target)
    copy = (*MODELS, "--codec", "json", "copy", source, target, "--prefix", "PersistentDict")
    assert "--on-conflict skip" in run(*copy, status=3)
    run(*copy, "--on-conflict", "skip")
    assert kept == {"theme": "light"}
    run(*copy, "--on-conflict", "replace")
    assert kept == {"theme": "dark"}


def test_a_codec_that_nothing_tells_is_asked_for_as_it_is_given(source: str, tmp_path: Path, run: Run) -> None:
    told = run(*MODELS, "copy", source, f"sqlite:{tmp_path}/target.db", status=2)
    assert "--codec 'PersistentDict:settings=json'" in told
    run(*MODELS, "--codec", "PersistentDict:settings=json", "copy", source, f"sqlite:{tmp_path}/target.db")


def test_a_copy_that_stops_on_its_way_says_how_far_it_came_and_goes_on(tmp_path: Path, run: Run) -> None:
    source, target = f"json:{tmp_path}/source?fsync=off", f"sqlite:{tmp_path}/target.db"
    for name in ("a", "b"):
        PersistentDict(name, {"theme": "dark"}, backend=source)
    told = run("--codec", "PersistentDict:a=json", "copy", source, target, status=3)
    assert "--codec 'PersistentDict:b=json'" in told
    assert "after 1 objects, which stay" in told
    assert PersistentDict("a", backend=target) == {"theme": "dark"}
    assert run("--codec", "json", "copy", source, target).startswith("copied 1, replaced 0, skipped 0, equal 1")


def invoke(*arguments: str, given: str | None = None) -> Result:
    """Run a command, and give what it wrote on each stream."""
    return CliRunner().invoke(app, arguments, input=given, prog_name="persistent-collections")


@pytest.mark.parametrize("codec", [(), ("--codec", "json"), ("--codec", "Stranger:x=json")])
def test_what_class_is_to_be_imported_is_said_and_no_codec_takes_its_place(
    codec: tuple[str, ...], tmp_path: Path, run: Run
) -> None:
    connect("memory:strangers").mapping(Key("Stranger:x")).set_many({"name": b"Luke"})
    told = run(*MODELS, *codec, "copy", "memory:strangers", f"json:{tmp_path}/target", status=2)
    assert told.endswith("; import the module that defines its class (--models yourapp, before the command)\n")
    assert "--codec" not in told


@pytest.mark.parametrize(
    ("remedy", "spelt"),
    [
        (ImportModule("import whichever module has it"), "import whichever module has it (--models yourapp, before"),
        (NameCodec("PersistentDict:d"), "name its codec: --codec 'PersistentDict:d=json', before the command"),
        (Argument("on_conflict", "skip", "keeps the existing object"), "--on-conflict skip keeps the existing object"),
        (Advice("say on_conflict='skip' to somebody"), "say on_conflict='skip' to somebody"),
    ],
)
def test_a_remedy_is_spelt_as_options_whatever_its_words(remedy: Remedy, spelt: str) -> None:
    told = message_of(ConfigurationError("it cannot be done").with_remedies(remedy))
    assert told.startswith(f"it cannot be done; {spelt}")


@pytest.mark.parametrize("target", ["sqlite", "json"])
def test_the_codec_of_a_collection_without_a_class_is_named(target: str, tmp_path: Path, run: Run) -> None:
    here, there = (f"json:{tmp_path}/here", f"sqlite:{tmp_path}/there.db")
    if target == "json":
        here, there = there, here
    PersistentDict("counters", {"a": 1}, backend=here)
    PersistentList("blobs", [b"\xff"], backend=here, codec="msgpack")
    assert "name its codec: --codec 'PersistentDict:counters=json'" in run(
        "--codec", "PersistentList:blobs=msgpack", "copy", here, there, status=2
    )
    codecs = ("--codec", "PersistentList:blobs=msgpack", "--codec", "json")
    assert run(*codecs, "copy", here, there).startswith("copied 2")
    assert PersistentDict("counters", backend=there) == {"a": 1}
    assert PersistentList("blobs", backend=there, codec="msgpack") == [b"\xff"]


def test_an_export_replaces_no_backup_unasked(source: str, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "backup.jsonl"
    file.write_text("yesterday's", "utf-8")
    export = ("--url", source, "export", "--secrets", "keep", str(file))
    assert "backup.jsonl exists already; --overwrite replaces it" in run(*export, status=2)
    assert "FILE is empty; write the path of a file" in run(*export[:-1], "", status=2)
    assert ". is a directory; write the path of a file in it" in run(*export[:-1], ".", "--overwrite", status=2)
    assert file.read_text("utf-8") == "yesterday's"
    assert run(*export, "--overwrite").startswith("exported 3")


def test_a_backup_is_a_store_and_replaces_no_file_unasked(source: str, tmp_path: Path, run: Run) -> None:
    here, file = f"sqlite:{tmp_path}/here.db", tmp_path / "backup.db"
    run("--codec", "json", "copy", source, here)
    backup = ("--url", here, "backup", str(file))
    assert run(*backup) == f"backed up: {file}\n"
    assert run("--url", f"sqlite:{file}", "ls") == run("--url", here, "ls")
    assert "backup.db exists already; --overwrite replaces it" in run(*backup, status=2)
    assert run(*backup, "--overwrite") == f"backed up: {file}\n"


def test_what_another_program_put_into_a_store_is_told_apart_as_far_as_it_can_be(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Sailor("ann", backend=server.url, name="Ann")
    with server.client() as client:
        client.set("cache:1", "x")
        for number in range(3):
            client.hset(f"celery-task-meta:{number}", "x", "1")
        client.rpush("bull:q:1", "x")
    copied = invoke(*MODELS, "copy", server.url, "sqlite:./all.db")
    assert copied.stdout.startswith("copied 5, replaced 0, skipped 0, equal 0, expired 0, foreign 1: ")
    left_out, taken = copied.stderr.splitlines()
    assert "1 of the keys hold data of another program, and were left out; check lists them" in left_out
    assert "4 of the objects are of types that no module declares: bull 1, celery-task-meta 3." in taken
    for told in (left_out, taken):
        assert "--prefix chooses your own, and ?prefix= in the URL of your application sets them apart" in told
    exported = invoke("--url", server.url, "export", "all.jsonl", "--json")
    assert json.loads(exported.stdout) == {"exported": 5, "foreign": 1}
    assert exported.stderr == f"{left_out}\n", "where no models are given, none of their types is undeclared"
    exported = invoke("--url", server.url, *MODELS, "export", "-", "--prefix", "Sailor:")
    assert (len(exported.stdout.splitlines()), exported.stderr) == (3, "")
    imported = invoke("--url", "memory:", *MODELS, "import", "all.jsonl")
    assert imported.stderr == f"{taken}\n"


@pytest.mark.parametrize("prefix", [(), ("--prefix", "Old")])
def test_objects_of_unknown_types_are_not_deleted_unless_the_type_is_named(
    url: str, prefix: tuple[str, ...], run: Run
) -> None:
    store = connect(url)
    for root in ("Old:1", "Older:1"):
        store.mapping(Key(root)).set_many({"a": b"1"})
    told = run("--url", url, *MODELS, "check", "--repair", "unknown_type", "--yes", *prefix, status=2)
    assert told.count("\n") == 1
    assert "may be another program's, and nothing was deleted" in told
    assert "--prefix Old:" in told
    assert len(list(store.keys(""))) == 2
    run("--url", url, *MODELS, "check", "--repair", "unknown_type", "--prefix", "Old:", "--yes")
    assert list(store.keys("")) == [Key("Older:1")]


@pytest.mark.parametrize(("answer", "status", "left"), [("y\n", 0, 1), ("n\n", 1, 13), ("", 2, 13)])
def test_before_anything_is_deleted_it_is_said_how_much_and_what(
    url: str, answer: str, status: int, left: int, run: Run
) -> None:
    store = connect(url)
    for number in range(12):
        store.mapping(Key(f"Old:{number:02}")).set_many({"a": b"1"})
    Sailor("ann", backend=store, name="Ann")
    told = run(
        "--url", url, *MODELS, "check", "--repair", "unknown_type", "--prefix", "Old:", given=answer, status=status
    )
    assert len(list(store.keys(""))) == left
    if status:
        assert told.startswith(f"Delete 12 unknown_type in {store.url}: Old:00, Old:01, ")
        assert "Old:09 and 2 more? [y/N]" in told


def test_no_more_is_deleted_than_was_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    store = connect("memory:more")
    store.mapping(Key("Old:1")).set_many({"a": b"1"})
    Sailor("ann", backend=store, captain=Sailor.ref("nobody", backend=store))

    def confirm(question: str, *, yes: bool) -> None:
        assert not yes
        assert question == "Delete 1 unknown_type in memory:more: Old:1?"
        store.mapping(Key("Old:2")).set_many({"a": b"1"})

    monkeypatch.setattr(checks, "confirm", confirm)
    run("--url", "memory:more", *MODELS, "check", "--repair", "unknown_type", "--prefix", "Old:", status=1)
    assert {key.root for key in store.keys("")} == {"Old:2", "Sailor:ann"}


def test_where_nothing_is_to_be_deleted_nothing_is_asked(run: Run) -> None:
    Sailor("ann", backend="memory:sound", name="Ann")
    assert run("--url", "memory:sound", *MODELS, "check", "--repair", "dangling", given="") == ""


def test_an_export_is_imported_again(source: str, url: str, tmp_path: Path, run: Run, objects: Objects) -> None:
    file = str(tmp_path / "all.jsonl")
    assert "--secrets keep" in run("--url", source, "export", file, status=2)
    assert not Path(file).exists()
    assert objects("--url", source, "export", file, "--secrets", "keep") == [{"exported": 3, "foreign": 0}]
    import_ = ("--url", url, *MODELS, "--codec", "json", "import", file)
    assert run(*import_).startswith("copied 3")
    assert run(*import_).startswith("copied 0, replaced 0, skipped 0, equal 3")
    assert Sailor.load("ann", backend=url).password.verify("Ahoy")


def test_an_export_goes_through_a_pipe(source: str, run: Run) -> None:
    exported = run("--url", source, "export", "-", "--secrets", "omit")
    assert [json.loads(line) for line in exported.splitlines()]
    run("--url", "memory:piped", *MODELS, "--codec", "json", "import", "-", given=exported)
    assert Sailor.load("ann", backend="memory:piped").crew[0].name == "Bob"


@pytest.mark.parametrize(("name", "status"), [("missing.jsonl", 3), ("wrong.jsonl", 3), ("no/such/folder.jsonl", 3)])
def test_a_file_that_cannot_be_used_is_told_in_a_line(name: str, status: int, tmp_path: Path, run: Run) -> None:
    (tmp_path / "wrong.jsonl").write_text("what is this\n", "utf-8")
    for command in ("import", "export") if "/" in name else ("import",):
        told = run("--url", "memory:", command, str(tmp_path / name), status=status)
        assert told.startswith("persistent-collections: ")
        assert told.count("\n") == 1


def test_check_finds_nothing_wrong_or_ends_with_one(url: str, run: Run, objects: Objects) -> None:
    store = connect(url)
    ann = Sailor("ann", backend=store, name="Ann", crew=[Sailor("bob", backend=store, name="Bob")])
    assert run("--url", url, *MODELS, "check") == ""
    Sailor.ref("bob", backend=store).delete()
    [finding] = objects("--url", url, *MODELS, "check", status=1)
    assert (finding["kind"], finding["key"], finding["place"]) == ("dangling", "Sailor:ann:crew", 0)
    assert "dangling" in run("--url", url, *MODELS, "check", status=1)
    run("--url", url, *MODELS, "check", "--repair", "dangling", status=2)
    assert len(ann.crew) == 1
    assert "deleted" in run("--url", url, *MODELS, "check", "--repair", "dangling", "--yes")
    assert len(ann.crew) == 0
    assert run("--url", url, *MODELS, "check") == ""


def test_what_cannot_be_repaired_is_no_kind(run: Run) -> None:
    assert "unknown_type" in run("--url", "memory:", "check", "--repair", "everything", "--yes", status=2)


def test_a_list_of_another_prefix_is_not_checked(run: Run) -> None:
    PersistentList("x", [1], backend="memory:prefix")
    Sailor("ann", backend="memory:prefix", captain=Sailor.ref("nobody", backend="memory:prefix"))
    assert run("--url", "memory:prefix", *MODELS, "check", "--prefix", "PersistentList") == ""
    run("--url", "memory:prefix", *MODELS, "check", "--prefix", "Sailor", status=1)
