from __future__ import annotations

import json
from pathlib import Path

import pytest

from persistent_collections import PersistentDict, PersistentList, connect
from tests.cli.conftest import MODELS, Objects, Run
from tests.cli.models import Sailor


@pytest.fixture
def source(tmp_path: Path) -> str:
    url = f"json:{tmp_path}/source?fsync=off"
    Sailor("ann", backend=url, name="Ann", password="Ahoy", crew=[Sailor("bob", backend=url, name="Bob")])
    PersistentDict("settings", {"theme": "dark"}, backend=url)
    return url


def test_copy_brings_everything_along_and_says_so(source: str, url: str, objects: Objects, run: Run) -> None:
    copy = (*MODELS, "--codec", "json", "copy", source, url)
    assert run(*copy).startswith("copied 3, replaced 0, skipped 0, equal 0, expired 0: ")
    assert Sailor.load("ann", backend=url).password.verify("Ahoy")
    assert objects(*copy) == [{"copied": 0, "replaced": 0, "skipped": 0, "equal": 3, "expired": 0}]


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


def test_an_export_is_imported_again(source: str, url: str, tmp_path: Path, run: Run, objects: Objects) -> None:
    file = str(tmp_path / "all.jsonl")
    assert "--secrets keep" in run("--url", source, "export", file, status=2)
    assert not Path(file).exists()
    assert objects("--url", source, "export", file, "--secrets", "keep") == [{"exported": 3}]
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
    assert "repaired" in run("--url", url, *MODELS, "check", "--repair", "dangling", "--yes")
    assert len(ann.crew) == 0
    assert run("--url", url, *MODELS, "check") == ""


def test_what_cannot_be_repaired_is_no_kind(run: Run) -> None:
    assert "unknown_type" in run("--url", "memory:", "check", "--repair", "everything", "--yes", status=2)


def test_a_list_of_another_prefix_is_not_checked(run: Run) -> None:
    PersistentList("x", [1], backend="memory:prefix")
    Sailor("ann", backend="memory:prefix", captain=Sailor.ref("nobody", backend="memory:prefix"))
    assert run("--url", "memory:prefix", *MODELS, "check", "--prefix", "PersistentList") == ""
    run("--url", "memory:prefix", *MODELS, "check", "--prefix", "Sailor", status=1)
