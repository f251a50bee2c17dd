"""Customers, products, orders and sessions: everything that is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated

from persistent_collections import (
    Password,
    PersistentDict,
    PersistentList,
    Query,
    Record,
    child,
    field,
    get_codec,
    indexed,
    transactional,
    unique,
)
from persistent_collections.codecs import PasswordHash

SESSION_LASTS = timedelta(days=7)


class Customer(Record):
    """A buyer, with an e-mail address that may change."""

    email: Annotated[str, unique]
    name: str
    password: Password
    balance: Decimal = Decimal(0)
    is_admin: bool = False
    basket: PersistentDict[str, int] = child()  # how many, by the id of the product


class Product(Record):
    """A thing that is for sale."""

    name: Annotated[str, indexed]
    price: Decimal
    stock: int = 0


class Status(Enum):
    """The state of an order."""

    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Line:
    """An ordered product, at the price of that day."""

    product: Product
    name: str
    price: Decimal
    quantity: int


class Order(Record, indexes=[("customer", "placed")]):
    """The lines that a customer ordered, and whether they are paid."""

    customer: Customer
    total: Decimal
    placed: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: Annotated[Status, indexed] = Status.OPEN
    lines: PersistentList[Line] = child()

    @classmethod
    def of(cls, customer: Customer) -> Query[Order]:
        """Return a customer's orders, the newest first."""
        return cls.find(customer=customer).order_by("-placed")


class ShopSession(Record):
    """A login, stored under a hash of its token, so that nobody can read a valid token from the store."""

    customer: Customer


def sign_up(name: str, email: str, password: str) -> Customer:
    """Store a new customer; raise ``NotUnique`` if the address has one, which only the store can decide."""
    return Customer.create(name=name, email=email.lower(), password=password)


def log_in(email: str, password: str) -> Customer | None:
    """Return the customer whose password this is; an unknown address takes as long to refuse as a wrong password."""
    customer = Customer.find(email=email.lower()).first()
    hashed = (customer is not None and customer.password) or _nobodys_password()
    return customer if hashed.verify(password) else None


def start_session(customer: Customer) -> str:
    """Return a token that identifies ``customer`` until the session ends."""
    token = token_urlsafe()
    ShopSession.create(_hashed(token), customer=customer, expire=SESSION_LASTS)
    return token


def find_customer(token: str) -> Customer | None:
    """Return the customer that ``token`` identifies, or None if the session or the customer is gone."""
    return ShopSession.ref(_hashed(token)).get("customer") or None


def end_session(token: str) -> None:
    """Make ``token`` invalid."""
    ShopSession.ref(_hashed(token)).delete()


def basket_lines(customer: Customer) -> Iterator[Line]:
    """Yield the lines for an order of the basket, without products that are gone."""
    for name, quantity in customer.basket.items():
        product = Product.ref(name)
        if product:
            yield Line(product, product.name, product.price, quantity)


@transactional
def place_order(customer: Customer) -> Order | None:
    """Make an order from the basket, and empty it, in one step; return None if it is empty."""
    lines = list(basket_lines(customer))
    customer.basket.clear()
    if not lines:
        return None
    total = sum((line.price * line.quantity for line in lines), Decimal(0))
    return Order.create(customer=customer, total=total, lines=lines)


@transactional
def pay(order: Order) -> str | None:
    """Pay an order from its customer's balance and the stock, in one step; return the problem, or None."""
    if order.status is not Status.OPEN:
        return f"This order is {order.status.value} already."
    lines = list(order.lines)
    for line in lines:
        if line.product.stock < line.quantity:
            return f"{line.name} is out of stock."
    if order.customer.balance < order.total:
        return "Your balance is too low."
    for line in lines:
        line.product.stock -= line.quantity
    order.customer.balance -= order.total
    order.status = Status.PAID
    return None


def cancel(order: Order) -> bool:
    """Cancel an order if it is still open; return whether it was."""
    return order.update_if({"status": Status.OPEN}, status=Status.CANCELLED)


@cache
def _nobodys_password() -> PasswordHash:
    codec = get_codec("bcrypt")
    return PasswordHash(codec.encode(token_urlsafe()).decode())


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()
