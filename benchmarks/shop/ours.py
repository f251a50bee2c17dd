"""The shop with this library, in any store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from benchmarks.shop import LONG_PAGE, NEWEST, Page, SoldOutError, TakenError
from persistent_collections import (
    Backend,
    NotUnique,
    Record,
    StillReferenced,
    indexed,
    on_delete,
    transactional,
    unique,
    use_backend,
)


class Customer(Record, name="BenchmarkCustomer"):
    """Who orders."""

    email: Annotated[str, unique]
    name: str


class Product(Record, name="BenchmarkProduct"):
    """Something to buy."""

    name: str
    price: int
    stock: int


class Order(Record, name="BenchmarkOrder", indexes=[("customer", "placed"), ("status", "placed")]):
    """What a customer bought."""

    customer: Annotated[Customer, on_delete("restrict")]
    placed: Annotated[int, indexed]
    total: int
    basket: dict[str, int]
    status: str = "open"


class OurShop:
    """See :class:`benchmarks.shop.Shop`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def sign_up(self, email: str, name: str) -> Customer:
        try:
            return Customer.create(email=email, name=name, backend=self._backend)
        except NotUnique:
            raise TakenError from None

    def stock_up(self, name: str, price: int, stock: int) -> str:
        return Product.create(name=name, price=price, stock=stock, backend=self._backend).id

    def place(self, customer: Customer, basket: Mapping[str, int], placed: int) -> Order:
        with use_backend(self._backend):
            return _place(customer, basket, placed)

    def pay(self, order: Order) -> None:
        order.status = "paid"

    def close_account(self, customer: Customer) -> bool:
        try:
            return customer.delete()
        except StillReferenced:
            return False

    def by_email(self, email: str) -> str:
        return next(Customer.find(email=email, backend=self._backend).fetch("name"))["name"]

    def newest_of(self, customer: Customer) -> Sequence[tuple[str, int]]:
        newest = Order.find(customer=customer, backend=self._backend).order_by("-placed").limit(NEWEST)
        return [(row["id"], row["total"]) for row in newest.fetch("id", "total")]

    def page(self, after: str | None = None) -> Page:
        query = Order.find(backend=self._backend).order_by("-placed").limit(LONG_PAGE).after(after)
        rows = list(query.fetch("id", "customer.name", "total", "status"))
        return Page([tuple(row.values()) for row in rows], query.token)

    def with_status(self, status: str) -> Sequence[str]:
        return [order.id for order in Order.find(status=status, backend=self._backend).order_by("placed")]

    def count(self, status: str) -> int:
        return Order.find(status=status, backend=self._backend).count()


@transactional
def _place(customer: Customer, basket: Mapping[str, int], placed: int) -> Order:
    total = 0
    for ident, wanted in basket.items():
        product = Product.ref(ident)
        held = product.to_dict()
        if held["stock"] < wanted:
            raise SoldOutError
        product.stock = held["stock"] - wanted
        total += wanted * held["price"]
    values: Any = {"customer": customer, "placed": placed, "total": total, "basket": dict(basket)}
    return Order.create(**values)
