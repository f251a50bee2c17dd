"""The shop of this library beside the same shop by hand: ``python -m benchmarks.shop``.

It writes the table and the plot of docs/benchmarks.md. On Redis, the time that client and server are at work counts; on
SQLite and JSON files, that of the processor. Shops take turns. ``--orders`` are there before.
"""

from __future__ import annotations

import argparse
import ast
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import redis

from benchmarks import pages
from benchmarks.shop import Shop, in_redis, in_sqlalchemy, in_sqlite, ours, plot
from benchmarks.timing import Call, Cell, Clock, Row, busy_s, pin, race
from persistent_collections import connect
from tests.servers import run_server

ROOT: Final = Path(__file__).parent.parent.parent
CUSTOMERS: Final = 20
PRODUCTS: Final = 10
PAID: Final = 5
"""One order in so many is paid."""


class Filled:
    """A shop with orders in it.

    Args:
        shop: An empty one.
        orders: How many to place.
    """

    def __init__(self, shop: Shop, orders: int) -> None:
        self.shop = shop
        self._time = count()
        self._random = Random(1)  # noqa: S311 - the same for all
        self.customers = [shop.sign_up(f"c{number}@example.com", f"Customer {number}") for number in range(CUSTOMERS)]
        self.products = [shop.stock_up(f"Product {number}", 100 + number, 10**9) for number in range(PRODUCTS)]
        self.orders = [self.place(number) for number in range(orders)]
        for order in self.orders[::PAID]:
            shop.pay(order)
        self._after = shop.page().after

    def place(self, number: int) -> Any:
        """Place an order of two products."""
        first = number % PRODUCTS
        basket = {self.products[first]: 1, self.products[(first + 3) % PRODUCTS]: 2}
        return self.shop.place(self._random.choice(self.customers), basket, next(self._time))

    def uses(self) -> dict[str, tuple[Call, int]]:
        """Return what to do with the shop, and how many times to do it in a row."""
        shop, customers = self.shop, self.customers
        return {
            "place an order of two products": (self.place, 5),
            "pay an order": (lambda number: shop.pay(self.orders[number % len(self.orders)]), 10),
            "customer by e-mail": (lambda number: shop.by_email(f"c{number % CUSTOMERS}@example.com"), 20),
            "20 newest orders of a customer": (lambda number: shop.newest_of(customers[number % CUSTOMERS]), 10),
            "first page of 50 of all orders, with names": (lambda _: shop.page(), 5),
            "the next page": (lambda _: shop.page(self._after), 5),
            "all paid orders": (lambda _: shop.with_status("paid"), 2),
            "number of open orders": (lambda _: shop.count("open"), 5),
        }


def raced(shops: Mapping[str, Filled], rounds: int, clock: Clock) -> dict[str, dict[str, Cell]]:
    """Return the time that each use takes in each shop, the first of which is the yardstick."""
    uses = {name: filled.uses() for name, filled in shops.items()}
    rows = [
        Row(title, {name: found[title][0] for name, found in uses.items()}, next(iter(uses.values()))[title][1])
        for title in next(iter(uses.values()))
    ]
    return race(rows, rounds, 10_000, clock)


def lines_of(module: Any) -> int:
    """Return how many lines of code a shop has, without documentation, empty lines and imports."""
    source = Path(module.__file__).read_text("utf-8")
    left = {number for number, line in enumerate(source.splitlines(), 1) if line.strip()}
    for node in ast.walk(ast.parse(source)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            left -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(left)


def measured(orders: int, in_json: int, rounds: int) -> dict[str, dict[str, dict[str, Cell]]]:
    """Return the figures of each kind of store."""
    return {
        "redis": _on_redis(orders, rounds),
        "sqlite": _in_files(orders, rounds),
        "json": _in_json(in_json, max(rounds // 5, 1)),
    }


def _on_redis(orders: int, rounds: int) -> dict[str, dict[str, Cell]]:
    with run_server() as server, redis.Redis(port=server.port) as client:
        by_hand = in_redis.RedisShop(client)
        with connect(f"redis://127.0.0.1:{server.port}/1") as backend:
            shops: dict[str, Shop] = {"redis-py": by_hand, "ours": ours.OurShop(backend)}
            filled = {name: Filled(shop, orders) for name, shop in shops.items()}
            return raced(filled, rounds, busy_s(server.pid))


def _in_files(orders: int, rounds: int) -> dict[str, dict[str, Cell]]:
    with TemporaryDirectory() as folder, connect(f"sqlite:{folder}/ours.db") as backend:
        shops: dict[str, Shop] = {
            "sqlite3": in_sqlite.SQLiteShop(Path(folder, "by-hand.db")),
            "SQLAlchemy": in_sqlalchemy.SQLAlchemyShop(Path(folder, "sqlalchemy.db")),
            "ours": ours.OurShop(backend),
        }
        return raced({name: Filled(shop, orders) for name, shop in shops.items()}, rounds, time.process_time)


def _in_json(orders: int, rounds: int) -> dict[str, dict[str, Cell]]:
    with TemporaryDirectory() as folder, connect(f"json:{folder}") as backend:
        return raced({"ours": Filled(ours.OurShop(backend), orders)}, rounds, time.process_time)


def table(found: Mapping[str, Mapping[str, Mapping[str, Cell]]], in_json: int) -> str:
    """Return what was measured as Markdown."""
    head = ["redis-py by hand", "this library", "sqlite3 by hand", "SQLAlchemy", "this library"]
    lines = []
    for title, on_redis in found["redis"].items():
        in_file = found["sqlite"][title]
        cells = [
            _time(on_redis["redis-py"]),
            _beside(on_redis["ours"]),
            _time(in_file["sqlite3"]),
            _beside(in_file["SQLAlchemy"]),
            _beside(in_file["ours"]),
            _time(found["json"][title]["ours"]),
        ]
        lines.append([title, *cells])
    counts = [str(lines_of(module)) for module in (in_redis, ours, in_sqlite, in_sqlalchemy, ours, ours)]
    return pages.table(["", *head, f"JSON files, {in_json} orders"], [*lines, ["lines of code", *counts]])


def _time(cell: Cell) -> str:
    return f"{cell.seconds * 1e6:,.0f} µs"


def _beside(cell: Cell) -> str:
    return f"{_time(cell)} ({cell.ratio:.1f})"


def main() -> None:
    """Measure, print the table, and write it and the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--orders", type=int, default=5000, help="that are there before")
    parser.add_argument("--in-json", type=int, default=500, help="as many in JSON files")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of each race")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where benchmarks.md is")
    given = parser.parse_args()
    pin()
    found = measured(given.orders, given.in_json, given.rounds)
    made = table(found, given.in_json)
    print(made)
    page = given.docs / "benchmarks.md"
    page.write_text(pages.replaced(page.read_text("utf-8"), {"shop": made}), "utf-8")
    plot.draw(found, given.docs / "benchmarks-shop.svg")


if __name__ == "__main__":
    main()
