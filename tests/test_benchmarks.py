"""The benchmarks run, each contender does its part, and what this library answers in them is right."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.shop import Shop, SoldOutError, TakenError
from benchmarks.shop.in_redis import RedisShop
from benchmarks.shop.in_sqlite import SQLiteShop
from benchmarks.shop.ours import OurShop
from persistent_collections import connect
from tests.servers import RunningServer

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
SCALE = ROOT / "docs" / "scale.md"
TABLE = re.compile(r"<!-- begin ([\w-]+) -->\n(.*?)<!-- end \1 -->", re.DOTALL)


@pytest.mark.slow
def test_one_command_measures_everything_and_writes_the_page(tmp_path: Path) -> None:
    shutil.copy(PAGE, tmp_path)
    command = [sys.executable, "-m", "benchmarks", "--quick", "--docs", str(tmp_path)]
    done = subprocess.run(
        [*command, "--results", str(tmp_path / "results.json")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "benchmarks.svg").read_text("utf-8").count("<g id=") > 0
    before, after = (dict(TABLE.findall(page.read_text("utf-8"))) for page in (PAGE, tmp_path / PAGE.name))
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] == after[name]} <= {
        "redis-behind",
        "redis-versions",
        "shop",
        "redis-om",
        "redis-om-times",
    }
    redis = json.loads((tmp_path / "results.json").read_text("utf-8"))["redis"]
    assert redis["faults"]["ours"] == {}
    raced = {name for rows in redis["times"].values() for cells in rows.values() for name in cells}
    assert raced == {"redis-py", "redis-py, our codec", *redis["faults"]}
    assert len(redis["faults"]) == 5


@pytest.mark.slow
def test_one_command_finds_out_how_far_stores_go_and_writes_the_page(tmp_path: Path) -> None:
    shutil.copy(SCALE, tmp_path)
    command = [sys.executable, "-m", "benchmarks.scale", "--quick", "--docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "scale.svg").read_text("utf-8").count("<g id=") > 0
    before, after = (dict(TABLE.findall(page.read_text("utf-8"))) for page in (SCALE, tmp_path / SCALE.name))
    assert before.keys() == after.keys()
    assert not {name for name in before if before[name] == after[name]}


@pytest.mark.parametrize(("page", "count"), [(PAGE, 17), (SCALE, 5)], ids=["benchmarks", "scale"])
def test_every_table_of_a_page_is_filled_in(page: Path, count: int) -> None:
    tables = dict(TABLE.findall(page.read_text("utf-8")))
    assert len(tables) == count
    assert all(table.strip() for table in tables.values()), tables


@pytest.fixture(params=["ours", "sqlite3", "SQLAlchemy", "redis-py"])
def shop(request: pytest.FixtureRequest, server: RunningServer, tmp_path: Path) -> Iterator[Shop]:
    if request.param == "redis-py":
        with server.client() as client:
            yield RedisShop(client)
    elif request.param == "sqlite3":
        yield SQLiteShop(tmp_path / "by-hand.db")
    elif request.param == "SQLAlchemy":
        pytest.importorskip("sqlalchemy")
        yield importlib.import_module("benchmarks.shop.in_sqlalchemy").SQLAlchemyShop(tmp_path / "by-hand.db")
    else:
        with connect(f"sqlite:{tmp_path}/ours.db") as backend:
            yield OurShop(backend)


@pytest.mark.store("server")
def test_the_shops_that_are_raced_do_the_same(shop: Shop) -> None:
    ann, bob = shop.sign_up("ann@example.com", "Ann"), shop.sign_up("bob@example.com", "Bob")
    with pytest.raises(TakenError):
        shop.sign_up("ann@example.com", "Another")
    tea, cup = shop.stock_up("Tea", 3, 100), shop.stock_up("Cup", 10, 2)
    orders = [shop.place(ann if number < 55 else bob, {tea: 1}, number) for number in range(60)]
    with pytest.raises(SoldOutError):
        shop.place(bob, {tea: 1, cup: 3}, 60)
    orders.append(shop.place(bob, {tea: 40, cup: 2}, 61))
    with pytest.raises(SoldOutError):
        shop.place(bob, {tea: 1}, 62)
    for number in (3, 1, 60):
        shop.pay(orders[number])
    assert [shop.by_email(f"{name}@example.com") for name in ("ann", "bob")] == ["Ann", "Bob"]
    assert [total for _, total in shop.newest_of(bob)] == [140, 3, 3, 3, 3, 3]
    assert len(shop.newest_of(ann)) == 20
    first = shop.page()
    rest = shop.page(first.after)
    rows = [*first.rows, *rest.rows]
    assert (len(first.rows), len(rest.rows), rest.after) == (50, 11, None)
    assert [name for _, name, _, _ in rows] == ["Bob"] * 6 + ["Ann"] * 55
    assert (rows[0][2:], rows[-2][2:]) == ((140, "paid"), (3, "paid"))
    made = {str(row[0]): number for number, row in enumerate(reversed(rows))}
    assert [made[str(ident)] for ident in shop.with_status("paid")] == [1, 3, 60]
    assert shop.count("open") == 58
    assert not shop.close_account(ann)
    assert shop.close_account(shop.sign_up("eve@example.com", "Eve"))
    shop.sign_up("eve@example.com", "Eve")


@pytest.mark.slow
def test_the_shop_writes_its_table_and_its_plot(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    shutil.copy(PAGE, tmp_path)
    command = [sys.executable, "-m", "benchmarks.shop", "--orders", "60", "--in-json", "10", "--rounds", "1"]
    done = subprocess.run([*command, "--docs", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 11
    assert done.stdout in (tmp_path / PAGE.name).read_text("utf-8")
    assert (tmp_path / "benchmarks-shop.svg").read_text("utf-8").count("<g id=") > 0
