"""What is told to the log: types and operations, and never ids or values."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    BackendUnavailable,
    ConflictError,
    OutcomeUnknown,
    PersistentDict,
    PersistentList,
    connect,
)
from persistent_collections.backends.json import store as json_store
from persistent_collections.collections import retrying
from tests.servers import RunningServer

SECRET = "xyzzy"


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "persistent_collections")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    records = [record for record in caplog.records if record.name.startswith("persistent_collections")]
    assert SECRET not in "".join(record.getMessage() for record in records)
    return [(record.levelname, record.getMessage()) for record in records]


def test_nothing_is_told_where_all_goes_well(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    settings = PersistentDict[str, Any]("settings", {"theme": SECRET}, backend=backend)
    settings["theme"] = [SECRET]
    settings["theme"].append(SECRET)
    assert settings.copy() == {"theme": [SECRET, SECRET]}
    assert told(caplog) == []


def test_what_is_tried_again_and_what_is_in_doubt_is_told(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(f"{server.url}?socket_timeout=0.1&retry_for_s=0.3") as backend:
        items = PersistentList("orders", [SECRET], backend=backend)
        with server.stalled(), pytest.raises(OutcomeUnknown):
            items.append(SECRET)
        with server.stalled(), pytest.raises(BackendUnavailable):
            len(items)
    levels = dict(told(caplog))
    assert set(levels) == {"DEBUG", "WARNING"}
    where = f"a PersistentList at 127.0.0.1:{server.port}: TimeoutError"
    assert levels["WARNING"] == f"RPUSH of {where}, and it may have been done"
    assert levels["DEBUG"] == f"LLEN of {where}, and it is tried again"


def test_giving_up_after_others_were_faster_is_told(
    backend: Backend, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "RETRY_DEADLINE_S", 0.0)
    items = PersistentList("orders", [SECRET], backend=backend)

    def key(_: object) -> int:
        PersistentList("orders", backend=backend).append(SECRET)
        return 0

    with pytest.raises(ConflictError):
        items.sort(key=key)
    assert told(caplog)[-1] == ("WARNING", "PersistentList:orders kept changing for 0 s; gave up")


def test_a_long_wait_for_other_writers_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_store, "LONG_WAIT_S", 0.05)
    with connect(f"json:{tmp_path}/data?fsync=off") as backend:
        items = PersistentList("orders", [SECRET], backend=backend)
        held = threading.Event()

        def hold(stored: object) -> dict[object, object]:
            held.set()
            time.sleep(0.2)
            return {}

        thread = threading.Thread(target=lambda: backend.transform([items.__pc__.key], hold))  # type: ignore[attr-defined]  # a simple store's
        thread.start()
        held.wait()
        items.append(SECRET)
        thread.join()
    [(level, message)] = told(caplog)
    assert level == "WARNING"
    assert message.startswith("waited 0.")
    assert message.endswith(f"s for other writers in {tmp_path}/data")


def test_a_write_finished_for_a_killed_process_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "data"
    with connect(f"json:{root}?fsync=off") as backend:
        items = PersistentList("orders", ["old"], backend=backend)
        (root / ".store" / "commit.json").write_text(json.dumps({"PersistentList/orders.json": f'["{SECRET}"]\n'}))
        items.append("new")
        assert items == [SECRET, "new"]
    assert told(caplog) == [("WARNING", f"finished a write of 1 file(s) in {root} that was cut off")]


def test_a_program_without_logging_prints_no_warning(server: RunningServer) -> None:
    program = (
        "import sys\n"
        "from persistent_collections import OutcomeUnknown, PersistentList, connect\n"
        "items = PersistentList('orders', backend=connect(sys.argv[1]))\n"
        "try: items.append(1)\n"
        "except OutcomeUnknown: print('unknown')\n"
    )
    command = [sys.executable, "-c", program, f"{server.url}?socket_timeout=0.2&protocol=2"]
    with server.client() as client:
        client.client_pause(2000, all=False)
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        client.client_unpause()
    assert told.stdout == "unknown\n"
    assert told.stderr == ""
