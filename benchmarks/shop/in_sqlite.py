"""The shop by hand on ``sqlite3``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.shop import LONG_PAGE, NEWEST, Page, SoldOutError, TakenError

TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL) STRICT;
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL,
    stock INTEGER NOT NULL CHECK (stock >= 0)) STRICT;
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers ON DELETE RESTRICT,
    placed INTEGER NOT NULL, total INTEGER NOT NULL, basket TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'open') STRICT;
CREATE INDEX of_customer ON orders (customer, placed);
CREATE INDEX by_status ON orders (status, placed);
CREATE INDEX by_time ON orders (placed);
"""


class SQLiteShop:
    """See :class:`benchmarks.shop.Shop`."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.executescript(TABLES)

    @contextmanager
    def _transaction(self) -> Any:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def sign_up(self, email: str, name: str) -> Any:
        try:
            return self._db.execute("INSERT INTO customers (email, name) VALUES (?, ?)", (email, name)).lastrowid
        except sqlite3.IntegrityError:
            raise TakenError from None

    def stock_up(self, name: str, price: int, stock: int) -> Any:
        row = (name, price, stock)
        return self._db.execute("INSERT INTO products (name, price, stock) VALUES (?, ?, ?)", row).lastrowid

    def place(self, customer: Any, basket: Mapping[Any, int], placed: int) -> Any:
        take = "UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ? RETURNING price"
        add = "INSERT INTO orders (customer, placed, total, basket) VALUES (?, ?, ?, ?)"
        total = 0
        with self._transaction():
            for ident, wanted in basket.items():
                row = self._db.execute(take, (wanted, ident, wanted)).fetchone()
                if row is None:
                    raise SoldOutError
                total += wanted * row[0]
            return self._db.execute(add, (customer, placed, total, json.dumps(basket))).lastrowid

    def pay(self, order: Any) -> None:
        self._db.execute("UPDATE orders SET status = 'paid' WHERE id = ?", (order,))

    def close_account(self, customer: Any) -> bool:
        with suppress(sqlite3.IntegrityError):
            return self._db.execute("DELETE FROM customers WHERE id = ?", (customer,)).rowcount == 1
        return False

    def by_email(self, email: str) -> str:
        name: str = self._db.execute("SELECT name FROM customers WHERE email = ?", (email,)).fetchone()[0]
        return name

    def newest_of(self, customer: Any) -> Sequence[tuple[Any, int]]:
        query = "SELECT id, total FROM orders WHERE customer = ? ORDER BY placed DESC LIMIT ?"
        return self._db.execute(query, (customer, NEWEST)).fetchall()

    def page(self, after: Any = None) -> Page:
        rows = self._db.execute(
            "SELECT orders.id, name, total, status, placed FROM orders JOIN customers ON customers.id = customer "
            "WHERE (placed, orders.id) < (?, ?) ORDER BY placed DESC, orders.id DESC LIMIT ?",
            (*(after or (2**62, 0)), LONG_PAGE + 1),
        ).fetchall()
        more = (rows[LONG_PAGE - 1][4], rows[LONG_PAGE - 1][0]) if len(rows) > LONG_PAGE else None
        return Page([row[:4] for row in rows[:LONG_PAGE]], more)

    def with_status(self, status: str) -> Sequence[Any]:
        rows = self._db.execute("SELECT id FROM orders WHERE status = ? ORDER BY placed", (status,))
        return [ident for (ident,) in rows]

    def count(self, status: str) -> int:
        number: int = self._db.execute("SELECT count(*) FROM orders WHERE status = ?", (status,)).fetchone()[0]
        return number
