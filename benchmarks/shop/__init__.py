"""One shop three times: with this library, by hand on sqlite3, and by hand on redis-py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

LONG_PAGE = 50
NEWEST = 20


class TakenError(Exception):
    """A customer has this e-mail address already."""


class SoldOutError(Exception):
    """There is not enough of a product."""


class Page(NamedTuple):
    """Some orders.

    Attributes:
        rows: The id, the name of the customer, the sum and the status of each.
        after: Where the next page begins, None if there is none.
    """

    rows: Sequence[tuple[Any, str, int, str]]
    after: Any


class Shop(Protocol):
    """What each of the three shops does; each method in one step that others see as a whole or not at all."""

    def sign_up(self, email: str, name: str) -> Any:
        """Make a customer and return the id; raise ``TakenError`` if another one has the address."""

    def stock_up(self, name: str, price: int, stock: int) -> Any:
        """Make a product and return the id."""

    def place(self, customer: Any, basket: Mapping[Any, int], placed: int) -> Any:
        """Take the products from stock and make an order; return its id, or raise ``SoldOutError``."""

    def pay(self, order: Any) -> None:
        """Let an order be paid."""

    def close_account(self, customer: Any) -> bool:
        """Delete a customer who has no orders, and return whether that was done."""

    def by_email(self, email: str) -> str:
        """Return the name of the customer with this address."""

    def newest_of(self, customer: Any) -> Sequence[tuple[Any, int]]:
        """Return the ids and sums of the newest 20 orders of a customer."""

    def page(self, after: Any = None) -> Page:
        """Return 50 orders, the newest first, after those of another page."""

    def with_status(self, status: str) -> Sequence[Any]:
        """Return the ids of all orders with a status, in the order in which they were made."""

    def count(self, status: str) -> int:
        """Return how many orders have a status."""
