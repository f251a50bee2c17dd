from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from typer.testing import CliRunner

import address_book
from friends_web import app
from persistent_collections import (
    Backend,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    SlowHabitWarning,
    child,
    configure,
    connect,
    fetch,
    get_codec,
    register_codec,
    transaction,
    transactional,
    use_backend,
)
from persistent_collections.aio import run
from persistent_collections.backends.wrappers.warnings import LARGE, TIMES, WatchedBackend
from persistent_collections.cli.app import app as cli
from persistent_collections.codecs.bcrypt import BcryptCodec
from persistent_collections.moving import copy
from persistent_collections.testing.backends import BackendSuite
from tests.test_docs import ROOT, blocks

COUNT = 5 * TIMES
"""How long the rows are: a moment in which this machine does something else may cut one."""


class Rower(Record):
    name: str
    seat: int
    mates: PersistentList[Rower] = child()
    rivals: PersistentSet[Rower] = child()


class Larder(PersistentDict[str, int]):
    """A dict of which there are many."""


@pytest.fixture
def watched(backend: Backend) -> Iterator[WatchedBackend]:
    """Give each kind of store, watched, and as the default."""
    watched = WatchedBackend(backend)
    configure({"backends": {"default": watched}})
    yield watched
    configure({})


@pytest.fixture
def rowers(watched: WatchedBackend) -> list[Rower]:
    made = [Rower(f"id-{number}@example.com", name="secret", seat=number) for number in range(COUNT)]
    made[0].update(mates=made, rivals=set(made))
    PersistentList("rowers", made)
    PersistentDict("rowers", {str(rower.seat): rower for rower in made})
    return made


def read_each(rowers: Iterable[Rower]) -> None:
    for rower in rowers:
        assert rower.name == "secret"


def read_two_fields_of_each(rowers: Iterable[Rower]) -> None:
    for rower in rowers:
        if rower:
            assert rower.name
            assert rower["seat"] >= 0


def sort_by_a_field(rowers: Iterable[Rower]) -> None:
    sorted(rowers, key=lambda rower: rower.seat)


def read_all_fields_of_each(rowers: Iterable[Rower]) -> None:
    assert [rower.to_dict()["seat"] for rower in rowers]


LISTED: dict[str, Callable[[], Iterable[Rower]]] = {
    "all": Rower.all,
    "child list": lambda: Rower.ref("id-0@example.com").mates,
    "slice": lambda: Rower.ref("id-0@example.com").mates[:],
    "child set": lambda: Rower.ref("id-0@example.com").rivals,
    "members": lambda: [*Rower.ref("id-0@example.com").rivals],
    "list": lambda: PersistentList("rowers"),
    "values": lambda: PersistentDict("rowers").values(),
}


@pytest.mark.parametrize(
    ("listed", "read"),
    [
        *((listed, read_each) for listed in LISTED.values()),
        *((Rower.all, read) for read in (read_two_fields_of_each, sort_by_a_field, read_all_fields_of_each)),
    ],
)
def test_reading_one_listed_record_after_another_is_warned_of_and_fetch_named(
    rowers: list[Rower], listed: Callable[[], Iterable[Rower]], read: Callable[[Iterable[Rower]], None]
) -> None:
    with pytest.warns(SlowHabitWarning, match=rf"{TIMES} Rower records were read one after another; fetch\("):
        read(listed())


@pytest.mark.parametrize("listed", LISTED.values(), ids=LISTED)
def test_fetching_them_is_not(rowers: list[Rower], listed: Callable[[], Iterable[Rower]]) -> None:
    assert len(list(fetch(listed(), "name", "seat"))) == COUNT


def as_dict(values: PersistentDict[str, int]) -> None:
    dict(values)


def unpacked(values: PersistentDict[str, int]) -> None:
    assert {**values}


def looped(values: PersistentDict[str, int]) -> None:
    for key in values:
        assert values[key] >= 0


def looped_over_a_copy(values: PersistentDict[str, int]) -> None:
    for key in values.copy():
        assert values.get(key) is not None


@pytest.mark.parametrize("read", [as_dict, unpacked, looped, looped_over_a_copy])
def test_reading_one_key_of_a_dict_after_another_is_warned_of_and_copy_named(
    watched: WatchedBackend, read: Callable[[Any], None]
) -> None:
    values = PersistentDict[str, int]("values", {f"key {number}": number for number in range(COUNT)})
    with pytest.warns(SlowHabitWarning, match=rf"{TIMES} values of a PersistentDict were .*; items\(\) or copy\(\)"):
        read(values)
    assert dict(values.items()) == values.copy()
    assert len(list(values.values())) == len(values)


def read_by_index(items: PersistentList[Any], first: int = 0) -> None:
    for index in range(first, len(items)):
        assert items[index] is not None


@pytest.mark.parametrize("first", [0, 3])
def test_reading_a_list_index_by_index_is_warned_of_and_the_slice_named(watched: WatchedBackend, first: int) -> None:
    numbers = PersistentList[int]("numbers", range(COUNT))
    with pytest.warns(SlowHabitWarning, match=rf"{TIMES} items of a PersistentList were .*; iterate .* such as \[:\]"):
        read_by_index(numbers, first)
    assert list(numbers) == numbers[:] == [number for number in numbers]  # noqa: C416 - a loop is what is tested
    for number in reversed(numbers):
        assert numbers[-1] > number - 1


def append(numbers: range) -> None:
    stored = PersistentList[int]("numbers")
    for number in numbers:
        stored.append(number)


def put(numbers: range) -> None:
    stored = PersistentDict[int, int]("numbers")
    for number in numbers:
        stored[number] = number


def add(numbers: range) -> None:
    stored = PersistentSet[int]("numbers")
    for number in numbers:
        stored.add(number)


@pytest.mark.parametrize(
    ("write", "told", "write_all"),
    [
        (append, "appended to a PersistentList one by one; extend()", PersistentList[int]("numbers").extend),
        (
            put,
            "set one by one; update()",
            lambda numbers: PersistentDict[int, int]("numbers").update((n, n) for n in numbers),
        ),
        (add, "added to a PersistentSet one by one; update()", PersistentSet[int]("numbers").update),
    ],
)
def test_single_writes_in_a_row_are_warned_of_and_what_writes_all_is_named(
    watched: WatchedBackend, write: Callable[[range], None], told: str, write_all: Callable[[Any], None]
) -> None:
    with pytest.warns(SlowHabitWarning) as caught:
        write(range(COUNT))
    assert {told in str(warning.message) for warning in caught} == {True}
    write_all(range(COUNT))


class Report(Record):
    tags: list[int]


def append_to_a_field(numbers: range) -> None:
    report = Report("x", tags=[])
    for number in numbers:
        report.tags.append(number)


def append_to_an_item(numbers: range) -> None:
    tags: Any = PersistentList("reports", [[]])[0]
    for number in numbers:
        tags.append(number)


def set_in_a_value(numbers: range) -> None:
    reports = PersistentDict[str, dict[str, int]]("reports", {"x": {}})
    for number in numbers:
        reports["x"][str(number)] = number


@pytest.mark.parametrize("change", [append_to_a_field, append_to_an_item, set_in_a_value])
def test_changes_one_by_one_inside_a_value_are_warned_of(
    watched: WatchedBackend, change: Callable[[range], None]
) -> None:
    with pytest.warns(SlowHabitWarning, match=f"was changed {TIMES} times one by one, and each change wrote it whole"):
        change(range(COUNT))


def test_changing_a_value_at_once_is_not_nor_are_changes_in_several_objects(watched: WatchedBackend) -> None:
    report = Report("x", tags=[])
    report.tags.extend(range(COUNT))
    with report.edit("tags") as tags:
        for number in range(COUNT):
            tags.append(number)
    for number in range(COUNT):
        Report.upsert(str(number % 2), tags=[]).tags.append(1)


@pytest.mark.parametrize(
    "search",
    [
        lambda items: (1, 2) in items,
        lambda items: items.index((LARGE, 0)),
        lambda items: items.count((1, 2)),
        lambda items: items.remove((LARGE, 0)),
    ],
    ids=["in", "index", "count", "remove"],
)
def test_a_search_that_reads_all_of_a_large_list_is_warned_of(
    watched: WatchedBackend, search: Callable[[Any], Any]
) -> None:
    pairs: PersistentList[Any] = PersistentList("pairs", [(number, 0) for number in range(LARGE + 1)])
    with pytest.warns(SlowHabitWarning, match=f"{LARGE} items or more of a PersistentList.*PersistentSet"):
        search(pairs)
    assert len(pairs[:]) == len(pairs.copy()) >= LARGE
    small: PersistentList[Any] = PersistentList("small", [(number, 0) for number in range(LARGE - 1)])
    assert (1, 2) not in small
    declared = PersistentList[int]("declared", range(LARGE))
    assert -1 not in declared
    declared.sort()


def test_a_transaction_that_was_open_for_long_is_warned_of_where_it_commits(
    watched: WatchedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    larder = Larder("corner", {"rice": 1})
    with transaction():
        larder["rice"] += 1
    monkeypatch.setattr("persistent_collections.transactions.limits.LONG_S", -1.0)
    with transaction():
        assert larder["rice"] == 2  # what writes nothing holds nobody up
    with pytest.warns(SlowHabitWarning, match=r"a transaction committed 0 s after .*on_commit\(\)") as caught:
        transactional(larder.increment)("rice")
    with pytest.warns(SlowHabitWarning), transaction():
        larder["rice"] += 1
    assert caught[0].filename == __file__
    assert larder.copy() == {"rice": 4}


def test_a_warning_points_at_the_line_and_comes_once_for_each(rowers: list[Rower]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for crew in (rowers[0].mates, PersistentList[Rower]("rowers"), Rower.all()):
            read_each(crew)
        sort_by_a_field(Rower.all())
    assert [warning.filename for warning in caught] == [__file__, __file__]
    lines, first = inspect.getsourcelines(read_each)
    assert caught[0].lineno == first + next(n for n, line in enumerate(lines) if "rower.name" in line)


def test_a_warning_names_neither_ids_nor_values(rowers: list[Rower]) -> None:
    with pytest.warns(SlowHabitWarning) as caught:
        read_each(Rower.all())
    with pytest.warns(SlowHabitWarning, match=r"items of a Rower\.mates were") as more:
        read_by_index(rowers[0].mates)
    for warning in (*caught, *more):
        assert "id-" not in str(warning.message)
        assert "secret" not in str(warning.message)


def test_what_is_asked_for_now_and_then_is_no_habit(rowers: list[Rower], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("persistent_collections.backends.wrappers.warnings.monotonic", lambda: float(next(clock)))
    read_each(Rower.all())
    append(range(COUNT))
    as_dict(PersistentDict("rowers"))


def test_neither_is_what_no_method_does_at_once(rowers: list[Rower]) -> None:
    shelves = [Larder(str(number), {"a": 1}) for number in range(COUNT)]
    assert sum(shelf["a"] for shelf in Larder.all()) == COUNT
    for rower in Rower.all():
        rower.name = "another"
        rower.mates.append(rower)
    queue, done = PersistentList[int]("queue", range(COUNT)), PersistentList[int]("done")
    while queue:
        done.append(queue.pop(0))
    for number in range(COUNT):
        rowers[0].seat = number
    counts = PersistentDict[str, int]("counts")
    for shelf in shelves:
        counts[shelf.id] = counts.get(shelf.id, 0) + 1
    for rower in Random(7).sample(rowers, len(rowers)):  # as requests come: in no order in which they were listed
        assert rower.seat >= 0


def test_threads_have_rows_of_their_own(watched: WatchedBackend) -> None:
    numbers = PersistentList[int]("numbers", range(COUNT))

    def read_a_few(start: int) -> None:
        for index in range(start, start + TIMES - 1):
            assert numbers[index] == index

    for start in (0, TIMES - 1):  # what one of them leaves off, the other goes on with
        with ThreadPoolExecutor(1) as pool:
            pool.submit(read_a_few, start).result()
    with pytest.warns(SlowHabitWarning), ThreadPoolExecutor(1) as pool:
        pool.submit(read_by_index, numbers).result()


def test_a_thread_remembers_hashes_and_no_more_than_a_page_of_them(watched: WatchedBackend) -> None:
    assert PersistentList("texts", [f"secret {number}" for number in range(5 * LARGE)])[4 * LARGE] == f"secret {4000}"
    assert len(PersistentList("texts").copy()) == 5 * LARGE
    kept = watched._trail.listed
    assert len(kept) == LARGE
    assert {type(each) for pair in kept.items() for each in pair} == {int}


@pytest.mark.store("memory")
@pytest.mark.slow
class TestWatchedBackend(BackendSuite):
    """What is watched is the store that it is."""

    @pytest.fixture(autouse=True)
    def quiet(self) -> Iterator[None]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SlowHabitWarning)
            yield

    @pytest.fixture
    def backend(self) -> Backend:
        return connect("memory:?warnings=on")


def test_a_program_in_the_example_of_a_web_application_is_not_warned(tmp_path: Path) -> None:
    configure("memory:?warnings=on")
    usual = get_codec("bcrypt")
    register_codec(BcryptCodec(rounds=4), replace=True)
    try:
        client = app.test_client()
        for number in range(TIMES + 5):
            form = {"name": "Somebody", "email": f"{number}@example.com", "password": "TheForce"}
            assert app.test_client().post("/sign-up", data=form).status_code == 302
        assert client.post("/log-in", data=form).status_code == 302
        for number in range(TIMES + 4):
            assert client.post("/", data={"email": f"{number}@example.com"}).status_code == 302
        for _ in range(TIMES + 5):
            assert b"0@example.com" in client.get("/").data
    finally:
        register_codec(usual, replace=True)
        configure({})


def test_neither_is_one_in_the_address_book(capsys: pytest.CaptureFixture[str]) -> None:
    with use_backend("memory:?warnings=on"):
        for number in range(TIMES + 5):
            arguments = ["add", f"Somebody {number}", "--email", f"a{number}@example.com", "--birthday", "1977-05-25"]
            assert address_book.main([*arguments, "--tag", "rebel", "--phone", "home=1"]) == 0
        for command in (["list"], ["list", "--tag", "rebel"], ["find", "Somebody 1"], ["birthdays", "--days", "366"]):
            assert address_book.main(command) == 0
        assert address_book.main(["edit", "somebody 1", "--rename", "Nobody"]) == 0
        assert address_book.main(["delete", "somebody 2"]) == 0
    assert "a1@example.com" in capsys.readouterr().out


@pytest.mark.parametrize("program", ["friends.py", "README.md"])
def test_neither_are_the_story_and_the_readme(program: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    if program == "README.md":
        script.write_text("\n".join(blocks(ROOT / program, "python")), "utf-8")
    else:
        script = ROOT / "examples" / program
    environment = {**os.environ, "PERSISTENT_COLLECTIONS_URL": "json:./data?warnings=on"}
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_neither_are_the_command_line_and_a_copy(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/copy.db?synchronous=OFF&warnings=on"
    with use_backend(url):
        for number in range(COUNT):
            Rower(f"id-{number}", name="x", seat=number, mates=[Rower.ref(f"id-{number - 1}")])
    for command in ("ls", "check", f"export {tmp_path}/all.jsonl --secrets keep", "show Rower:id-1"):
        done = CliRunner().invoke(cli, ["--url", url, "--models", "tests.test_watching", *command.split()])
        assert (done.exit_code, done.stderr) == (1 if command == "check" else 0, ""), done.output
    copy(url, f"json:{tmp_path}/copied?fsync=off&warnings=on")


@pytest.mark.parametrize("loop", [lambda function: asyncio.run(function()), trio.run], ids=["asyncio", "trio"])
def test_a_call_that_blocks_a_running_event_loop(loop: Callable[..., object], watched: WatchedBackend) -> None:
    async def blocking() -> None:
        PersistentDict("settings").get("theme")

    async def beside() -> object:
        return await run(PersistentDict("settings").get, "theme")

    with pytest.warns(SlowHabitWarning, match=r"blocks the running event loop") as caught:
        loop(blocking)
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop(beside)
        PersistentDict("settings").get("theme")
