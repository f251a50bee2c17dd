from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter, ValidationError

from persistent_collections import (
    Backend,
    ObjectNotFound,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    current_backend,
    use_backend,
)
from persistent_collections.backends import Operation, WrappedBackend
from tests.test_docs import ROOT, blocks

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the client that Starlette would rather have
    from fastapi.testclient import TestClient


class Team(Record):
    name: str


class Player(Record):
    name: str
    password: Password
    born: date | None
    team: Team | None
    rival: Player | None
    strange: complex = 1j
    friends: PersistentList[Player] = child()


class Threads(WrappedBackend):
    """Notes which threads it is called in."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.calls: list[tuple[int, str]] = []

    def around(self, operation: Operation, call: Any) -> Any:
        self.calls.append((threading.get_ident(), operation.name))
        return call()


SHOWN = {"id": "luke", "name": "Luke", "born": "1951-09-25", "team": "reds", "rival": "luke", "strange": "1j"}

api = FastAPI()


@api.get("/annotated")
def annotated() -> Player:
    return Player.load("luke")


@api.get("/bare", response_model=None)
def bare():  # type: ignore[no-untyped-def]
    return Player.load("luke")


@api.get("/inside", response_model=None)
def inside():  # type: ignore[no-untyped-def]
    return {"players": [Player.load("luke")], "best": Player.load("luke")}


WITHOUT_ANNOTATION: dict[str, Callable[[], Any]] = {
    "list": lambda: list(Player.all()),
    "items": lambda: Player.ref("luke").friends[:],
    "inside": lambda: {"players": list(Player.all())},
    "dict": lambda: PersistentDict[str, Player]("best"),
    "all": Player.all,
    "find": lambda: Player.find(name="Luke"),
    "fetch": lambda: Player.all().fetch("name"),
    "children": lambda: Player.ref("luke").friends,
    "set": lambda: PersistentSet("pairs", ["ab"]),
    "keys": lambda: PersistentDict("pairs", {"ab": "cd"}).keys(),
    "values": lambda: PersistentDict("pairs", {"ab": "cd"}).values(),
}


@api.get("/without/{name}", response_model=None)
def without_annotation(name: str):  # type: ignore[no-untyped-def]
    return WITHOUT_ANNOTATION[name]()


@api.get("/with/{name}")
def with_annotation(name: str) -> list[Player]:
    return WITHOUT_ANNOTATION[name]()  # type: ignore[no-any-return]


@api.get("/list")
def several() -> list[Player]:
    return list(Player.all())


@api.get("/optional")
def optional() -> Player | None:
    return None


@api.get("/loop")
async def loop() -> int:
    return threading.get_ident()


@api.get("/password", response_model=None)
def password():  # type: ignore[no-untyped-def]
    return {"password": Player.load("luke").password}


@api.post("/body")
def body(player: dict[str, Any], other: Player | None = None) -> None: ...


def gone(record: Player) -> FastAPI:
    """Return an application whose endpoints return a record that was deleted meanwhile."""
    app = FastAPI()
    app.get("/annotated", response_model=Player)(lambda: record)
    app.get("/bare")(lambda: record)
    app.get("/inside")(lambda: {"players": [record]})
    return app


@pytest.fixture
def client(store: Backend) -> TestClient:
    luke = Player.create("luke", name="Luke", password="TheForce", born=date(1951, 9, 25), team=Team("reds", name="R"))
    luke.update(rival=luke, friends=[luke])
    return TestClient(api, raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["annotated", "bare"])
def test_a_record_is_shown_without_secrets_and_without_following_references(path: str, client: TestClient) -> None:
    assert client.get(f"/{path}").json() == SHOWN


def test_records_inside_what_is_returned(client: TestClient) -> None:
    assert client.get("/inside").json() == {"players": [SHOWN], "best": SHOWN}
    assert client.get("/list").json() == [SHOWN]
    assert client.get("/optional").json() is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("list", [SHOWN]), ("items", [SHOWN]), ("inside", {"players": [SHOWN]}), ("dict", {"luke": SHOWN})],
)
def test_records_that_no_annotation_describes(name: str, shown: Any, client: TestClient) -> None:
    PersistentDict("best", {"luke": Player.ref("luke")})
    assert client.get(f"/without/{name}").json() == shown


@pytest.mark.parametrize("name", ["all", "find", "fetch", "children", "set", "keys", "values"])
def test_what_fastapi_would_show_wrongly_is_an_error_that_names_the_annotation(name: str, client: TestClient) -> None:
    with pytest.raises(ValueError, match=r"annotate what the endpoint returns, such as '-> list\[User\]'"):
        TestClient(api).get(f"/without/{name}")


@pytest.mark.parametrize("path", ["annotated", "bare", "inside"])
def test_a_record_that_cannot_be_shown_is_the_error_that_says_why(path: str, client: TestClient) -> None:
    record = Player.load("luke")
    record.delete()
    with pytest.raises((ObjectNotFound, ValueError), match="'Player:luke' does not exist") as caught:
        TestClient(gone(record)).get(f"/{path}")
    assert "annotate" not in str(caught.value)


@pytest.mark.parametrize("name", ["all", "children", "items"])
def test_with_the_annotation_it_is_shown(name: str, client: TestClient) -> None:
    assert client.get(f"/with/{name}").json() == [SHOWN]


def test_a_hash_of_a_password_is_never_shown(client: TestClient) -> None:
    answer = client.get("/password")
    assert answer.status_code == 500
    assert "$2b$" not in answer.text


def test_an_annotated_record_is_read_once_and_not_in_the_event_loop(client: TestClient) -> None:
    threads = Threads(current_backend())
    with use_backend(threads), client:
        in_loop = client.get("/loop").json()
        assert client.get("/annotated").json() == SHOWN
    assert [name for _, name in threads.calls] == ["look", "get_many"]
    assert in_loop not in {thread for thread, _ in threads.calls}


def test_no_endpoint_of_the_page_reads_in_the_event_loop(tmp_path: Path) -> None:
    page = "".join(blocks(ROOT / "docs" / "web.md", "python")).partition("from starlette.applications")[0]
    page = page.replace('configure("memory:shop")', 'configure("memory:shop?warnings=on")')
    strict = "import persistent_collections\nwarnings.simplefilter('error', persistent_collections.SlowHabitWarning)\n"
    leia = 'data={"name": "Leia", "password": "Alderaan", "born": ""}'
    script = tmp_path / "page.py"
    script.write_text(f'{page}{strict}assert client.post("/customers", {leia}).json()["name"] == "Leia"\n', "utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_api_describes_what_is_shown(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    [described] = [schema for name, schema in schemas.items() if name in ("Player", "Player-Output")]
    assert list(described["properties"]) == list(SHOWN)
    assert described["properties"]["born"]["anyOf"][0] == {"type": "string", "format": "date"}


class Match(BaseModel):
    player: Player
    points: int


def test_a_record_in_a_pydantic_model(client: TestClient) -> None:
    luke = Player.load("luke")
    match = Match(player=luke, points=3)
    assert match.player == luke
    assert match.model_dump() == json.loads(match.model_dump_json()) == {"player": SHOWN, "points": 3}
    match.player.name = "Leia"
    assert match.model_dump()["player"]["name"] == "Leia"


@pytest.mark.parametrize("value", ["luke", {"id": "luke"}, 3, Team.ref("reds")])
def test_only_a_record_of_the_class_is_one(value: Any, store: Backend) -> None:
    with pytest.raises(ValidationError, match="a Player is needed"):
        TypeAdapter(Player).validate_python(value)


def test_a_record_is_not_made_from_json(store: Backend) -> None:
    with pytest.raises(ValidationError, match=r"Player\.create"):
        TypeAdapter(Player).validate_json(json.dumps(SHOWN))
