from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistent_collections import BackendUnavailable, PersistentDict, PersistentList, PersistentSet, connect
from persistent_collections.backends.keys import Content, Entry, Key
from persistent_collections.catalogue import Known
from persistent_collections.cli.reading import Reading
from persistent_collections.cli.watching import Seen, _as_shown, _looks, changes
from persistent_collections.testing import FaultyBackend
from tests.cli.conftest import MODELS, Run
from tests.cli.models import Sailor
from tests.servers import run_server

PATIENCE_S = 60
START = """
import signal
from persistent_collections.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell that runs the tests behind may have turned off
main()
"""
KEY = Key("PersistentDict:x")


class Watching:
    """A process that watches."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running

    def tells(self) -> str:
        """Return the next line it writes."""
        return self._line(self._running.stdout)

    def told(self) -> dict[str, Any]:
        """Return the next line it writes, which is JSON."""
        row: dict[str, Any] = json.loads(self.tells())
        return row

    def warns(self) -> str:
        """Return the next line it writes on standard error."""
        return self._line(self._running.stderr)

    def leave(self) -> int:
        """Read no more, and return its exit code."""
        assert self._running.stdout
        self._running.stdout.close()
        return self._running.wait()

    def interrupt(self) -> tuple[int, str]:
        """Do what Ctrl-C does, and return its exit code and all that it has still to tell."""
        self._running.send_signal(signal.SIGINT)
        told, warned = self._running.communicate()
        return self._running.returncode, told + warned

    def _line(self, stream: IO[str] | None) -> str:
        assert stream
        line = stream.readline()
        assert line, "it has ended"
        return line


@contextmanager
def watching(url: str, *arguments: str) -> Iterator[Watching]:
    """Watch within the block."""
    command = [sys.executable, "-W", "error", "-c", START, "--url", url, *MODELS, "watch", "--interval", "0.02"]
    with subprocess.Popen(
        [*command, *arguments],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        timer = Timer(PATIENCE_S, running.kill)
        timer.start()
        try:
            yield Watching(running)
        finally:
            timer.cancel()
            running.kill()


@pytest.mark.parametrize("store_kind", ["json", "sqlite", "server", "cluster", "sentinel"])
def test_each_change_that_another_process_makes_is_told(url: str) -> None:
    ann = Sailor("ann", backend=url, name="Ann", email="a@x", password="Ahoy", crew=[Sailor.ref("bob", backend=url)])
    own = {"key": "Sailor:ann"}
    crew = {"key": "Sailor:ann:crew"}
    ports = {"key": "Sailor:ann:ports"}
    with watching(url, "Sailor:ann", "--json") as watch:
        assert [watch.told() for _ in range(7)] == [
            {"field": "name", "value": "Ann"},
            {"field": "email", "value": "a@x"},
            {"field": "password", "value": "[redacted]"},
            {"field": "age", "value": 0, "unset": True},
            {"field": "born", "value": None, "unset": True},
            {"field": "captain", "value": None, "unset": True},
            {"field": "crew", "child": "Sailor:ann:crew", "type": "list", "size": 1},
        ]
        ann.email = "b@x"
        assert watch.told() == {"change": "changed", **own, "field": "email", "value": "b@x", "old": "a@x"}
        ann.age = 40
        assert watch.told() == {"change": "added", **own, "field": "age", "value": 40}
        del ann.email
        assert watch.told() == {"change": "removed", **own, "field": "email", "value": "b@x"}
        ann.crew.insert(0, ann)
        assert watch.told() == {"change": "added", **crew, "index": 0, "value": "Sailor:ann"}
        ann.ports.update({"Oslo", "Rome"})
        assert [watch.told() for _ in range(3)] == [
            {"change": "created", **ports},
            {"change": "added", **ports, "member": "Oslo"},
            {"change": "added", **ports, "member": "Rome"},
        ]
        ann.ports.remove("Rome")
        assert watch.told() == {"change": "removed", **ports, "member": "Rome"}
        ann.expire(5000)
        for keys in (own, crew, ports):
            row = watch.told()
            assert 4900 < row.pop("ttl_s") <= 5000
            assert row == {"change": "deadline", **keys, "deadline": "in 1 h 23 min"}
        ann.persist()
        for keys in (own, crew, ports):
            assert watch.told() == {"change": "deadline", **keys, "deadline": None, "ttl_s": None}
        ann.delete()
        assert [watch.told() for _ in range(3)] == [{"change": "deleted", **keys} for keys in (own, crew, ports)]
        assert watch.interrupt() == (130, "")


def test_as_text_a_change_is_a_line_and_no_secret_is_in_it(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/data.db"
    ann = Sailor("ann", backend=url, name="Ann", password="Ahoy")
    secrets = [ann.password.text]
    with watching(url, "Sailor:ann") as watch:
        lines = [watch.tells() for _ in range(7)]
        ann.update(name="Ann\x1b[1m", password="Avast")
        secrets.append(ann.password.text)
        lines += [watch.tells() for _ in range(2)]
        ann.crew.append(ann)
        lines += [watch.tells() for _ in range(2)]
        ann.crew.expire(5000)
        lines.append(watch.tells())
        ann.crew.persist()
        lines.append(watch.tells())
        ann.crew.delete()
        lines.append(watch.tells())
        assert watch.interrupt() == (130, "")
    assert "".join(lines) == (
        "FIELD     VALUE\n"
        'name      "Ann"\n'
        'password  "[redacted]"\n'
        "age       0  (not set)\n"
        "born      null  (not set)\n"
        'email     ""  (not set)\n'
        "captain   null  (not set)\n"
        'changed   Sailor:ann  name  "Ann" -> "Ann\\u001b[1m"\n'
        'changed   Sailor:ann  password  "[redacted]" -> "[redacted]"\n'
        "created   Sailor:ann:crew\n"
        'added     Sailor:ann:crew  0  "Sailor:ann"\n'
        "deadline  Sailor:ann:crew  in 1 h 23 min\n"
        "deadline  Sailor:ann:crew  none\n"
        "deleted   Sailor:ann:crew\n"
    )
    assert not [secret for secret in secrets if secret in "".join(lines)]


@pytest.mark.parametrize("store_kind", ["json", "sqlite", "server"])
def test_what_is_not_there_yet_is_waited_for(url: str) -> None:
    with watching(url, "PersistentList:later", "--json") as watch:
        assert "nothing is stored under 'PersistentList:later'" in watch.warns()
        later = PersistentList[Any]("later", ["a"], backend=url)
        own = {"key": "PersistentList:later"}
        assert watch.told() == {"change": "created", **own}
        assert watch.told() == {"change": "added", **own, "index": 0, "value": "a"}
        later.append(2)
        assert watch.told() == {"change": "added", **own, "index": 1, "value": 2}


def test_a_child_is_watched_alone(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/data.db"
    ann = Sailor("ann", backend=url, name="Ann", log={1: "out"})
    with watching(url, "Sailor:ann:log", "--json") as watch:
        assert watch.told() == {"field": "1", "value": "out"}
        ann.name = "Anne"
        ann.log[2] = "back"
        assert watch.told() == {"change": "added", "key": "Sailor:ann:log", "field": "2", "value": "back"}


def test_a_server_that_is_away_is_told_once_and_watching_goes_on() -> None:
    with run_server() as server:
        url = f"{server.url}?retry_for_s=0"
        PersistentDict("x", {"a": 1}, backend=url)
        with watching(url, str(KEY), "--json") as watch:
            assert watch.told() == {"field": "a", "value": 1}
            server.stop()
            assert "cannot be reached" in (lost := watch.warns())
            assert lost.endswith("; still watching\n")
            server.start()
            assert watch.warns() == "persistent-collections: 'PersistentDict:x' can be read again\n"
            assert watch.told() == {"change": "deleted", "key": str(KEY)}
            PersistentDict("x", {"b": 2}, backend=url)
            assert watch.told() == {"change": "created", "key": str(KEY)}
            assert watch.told() == {"change": "added", "key": str(KEY), "field": "b", "value": 2}
            assert watch.interrupt() == (130, "")


def test_however_long_it_fails_it_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    faulty = FaultyBackend(connect("memory:"))
    looks = _looks(Reading(faulty, Known((), None, None)), [KEY], 0.001)
    for _ in range(2):
        faulty.fail(BackendUnavailable, times=3)
        assert next(looks) == {KEY: None}
    assert [line.partition(": ")[2] for line in capfd.readouterr().err.splitlines()] == 2 * [
        "'PersistentDict:x': FaultyBackend.fail() ordered this BackendUnavailable of snapshot; nothing was done; "
        "still watching",
        "'PersistentDict:x' can be read again",
    ]


def test_a_file_that_is_half_written_by_hand_is_told_and_read_once_it_is_whole(tmp_path: Path) -> None:
    url = f"json:{tmp_path}/data"
    PersistentSet("x", {"a"}, backend=url)
    file = tmp_path / "data" / "PersistentSet" / "x.json"
    with watching(url, "PersistentSet:x", "--json") as watch:
        assert watch.told() == {"member": "a"}
        file.write_text('["a", ', "utf-8")
        assert str(file) in watch.warns()
        file.write_text('["a", "b"]', "utf-8")
        assert "can be read again" in watch.warns()
        assert watch.told() == {"change": "added", "key": "PersistentSet:x", "member": "b"}


def test_a_store_that_fails_at_the_start_is_an_error(run: Run) -> None:
    told = run("--url", "redis://127.0.0.1:1/0?retry_for_s=0", "watch", "PersistentDict:x", status=3)
    assert "127.0.0.1:1" in told
    assert told.count("\n") == 1


def test_a_reader_that_goes_away_ends_it_though_nothing_changes(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/data.db"
    PersistentDict("x", {"a": 1}, backend=url)
    with watching(url, str(KEY)) as watch:
        assert watch.tells().split() == ["FIELD", "VALUE"]
        assert watch.leave() == 0


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "inf", "1e9"])
def test_an_interval_that_is_none_is_refused(interval: str, run: Run) -> None:
    assert "--interval" in run("--url", "memory:", "watch", str(KEY), "--interval", interval, status=2)


DATA = st.sampled_from([b"1", b"2", b"3"])
CONTENTS = (
    st.dictionaries(st.sampled_from("abc"), DATA, min_size=1),
    st.lists(DATA, min_size=1),
    st.sets(st.sampled_from("abc"), min_size=1),
)


@given(*(st.none() | st.one_of(CONTENTS) for _ in range(2)))
def test_what_was_with_what_is_told_to_have_changed_is_what_is(before: Content | None, after: Content | None) -> None:
    key = Key("Anything:x")
    reading = Reading(connect("memory:"), Known((), "json", None))
    seen, found = ({key: Entry(content) if content else None} for content in (before, after))
    rows = list(changes(reading, seen, found))
    removals = [row for row in rows if row["change"] == "removed"]
    places: Any = before and shown(before)
    for row in [*(row for row in rows if row["change"] != "removed"), *reversed(removals)]:
        places = changed(places, row, after)
    assert places == (after and shown(after))
    assert bool(rows) == (before != after)


def shown(content: Content) -> Any:
    """Return the values that are stored."""
    match content:
        case dict():
            return {field: json.loads(data) for field, data in content.items()}
        case list():
            return list(map(json.loads, content))
    return content.copy()


def changed(places: Any, row: dict[str, Any], after: Content | None) -> Any:
    """Return what a change makes of ``places``."""
    where = row.get("field", row.get("index"))
    match row["change"], places:
        case "deleted", _:
            return None
        case "created", None:
            assert after
            return type(shown(after))()
        case (("added" | "removed"), set()):
            assert (row["member"] in places) == (row["change"] == "removed")
            return places ^ {row["member"]}
        case "added", list():
            return [*places[:where], row["value"], *places[where:]]
        case "removed", _:
            assert places[where] == row["value"]
            del places[where]
        case "changed", _:
            assert places[where] == row["old"] != row["value"]
            places[where] = row["value"]
        case "added", dict():
            assert where not in places
            places[where] = row["value"]
    return places


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        (lambda items: items.insert(0, b"0"), [("added", 0)]),
        (lambda items: items.append(b"0"), [("added", 100)]),
        (lambda items: items.insert(50, b"0"), [("added", 50)]),
        (lambda items: items.pop(0), [("removed", 0)]),
        (lambda items: items.pop(50), [("removed", 50)]),
        (lambda items: items.__setitem__(50, b"0"), [("changed", 50)]),
        (lambda items: items.__setitem__(slice(10, 11), [b"0", b"0"]), [("changed", 10), ("added", 11)]),
    ],
)
def test_one_operation_on_a_list_is_told_as_what_it_was(
    operation: Callable[[list[bytes]], object], told: list[tuple[str, int]]
) -> None:
    before = [b"%d" % number for number in range(1, 101)]
    operation(after := before.copy())
    key = Key("Anything:x")
    rows = changes(Reading(connect("memory:"), Known((), "json", None)), {key: Entry(before)}, {key: Entry(after)})
    assert [(row["change"], row["index"]) for row in rows] == told


def test_a_deadline_that_moves_by_what_a_command_takes_is_told_only_when_that_adds_up() -> None:
    reading, now = Reading(connect("memory:"), Known((), None, None)), time.time()
    seen: Seen = {KEY: Entry({"f": b"1"}, now + 1000)}
    told = []
    for moved_s in range(1, 8):
        found = {KEY: Entry({"f": b"1"}, now + 1000 + moved_s)}
        told.append(len(list(changes(reading, seen, found))))
        seen = {KEY: _as_shown(seen[KEY], found[KEY])}
    assert told == [0, 0, 0, 0, 0, 1, 0]
