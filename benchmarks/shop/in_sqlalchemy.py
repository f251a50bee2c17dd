"""The shop by hand on SQLAlchemy's ORM, over SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Engine,
    ForeignKey,
    Index,
    create_engine,
    event,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker

from benchmarks.shop import LONG_PAGE, NEWEST, Page, SoldOutError, TakenError


class Base(DeclarativeBase):
    """What the three classes have in common."""


class Customer(Base):
    """Who orders."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class Product(Base):
    """Something to buy."""

    __tablename__ = "products"
    __table_args__ = (CheckConstraint("stock >= 0"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[int]
    stock: Mapped[int]


class Order(Base):
    """What a customer bought."""

    __tablename__ = "orders"
    __table_args__ = (Index("of_customer", "customer_id", "placed"), Index("by_status", "status", "placed"))
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="RESTRICT"))
    customer: Mapped[Customer] = relationship()
    placed: Mapped[int] = mapped_column(index=True)
    total: Mapped[int]
    basket: Mapped[dict[str, int]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(default="open")


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000"):
            connection.execute(f"PRAGMA {setting}")

    Base.metadata.create_all(engine)
    return engine


class SQLAlchemyShop:
    """See :class:`benchmarks.shop.Shop`."""

    def __init__(self, path: Path) -> None:
        self._session = sessionmaker(_engine(path))

    def _add(self, made: Any) -> Any:
        with self._session.begin() as session:
            session.add(made)
            session.flush()
            return made.id

    def sign_up(self, email: str, name: str) -> Any:
        try:
            return self._add(Customer(email=email, name=name))
        except IntegrityError:
            raise TakenError from None

    def stock_up(self, name: str, price: int, stock: int) -> Any:
        return self._add(Product(name=name, price=price, stock=stock))

    def place(self, customer: Any, basket: Mapping[Any, int], placed: int) -> Any:
        total = 0
        with self._session.begin() as session:
            for ident, wanted in basket.items():
                there = update(Product).where(Product.id == ident, Product.stock >= wanted)
                price = session.scalar(there.values(stock=Product.stock - wanted).returning(Product.price))
                if price is None:
                    raise SoldOutError
                total += wanted * price
            order = Order(customer_id=customer, placed=placed, total=total, basket=dict(basket))
            session.add(order)
            session.flush()
            return order.id

    def pay(self, order: Any) -> None:
        with self._session.begin() as session:
            session.get_one(Order, order).status = "paid"

    def close_account(self, customer: Any) -> bool:
        try:
            with self._session.begin() as session:
                session.delete(session.get_one(Customer, customer))
        except IntegrityError:
            return False
        return True

    def by_email(self, email: str) -> str:
        with self._session() as session:
            return session.scalars(select(Customer).where(Customer.email == email)).one().name

    def newest_of(self, customer: Any) -> Sequence[tuple[Any, int]]:
        query = select(Order.id, Order.total).where(Order.customer_id == customer)
        with self._session() as session:
            return [tuple(row) for row in session.execute(query.order_by(Order.placed.desc()).limit(NEWEST))]

    def page(self, after: Any = None) -> Page:
        query = select(Order.id, Customer.name, Order.total, Order.status, Order.placed).join(Order.customer)
        if after is not None:
            query = query.where(tuple_(Order.placed, Order.id) < after)
        query = query.order_by(Order.placed.desc(), Order.id.desc()).limit(LONG_PAGE + 1)
        with self._session() as session:
            rows = [tuple(row) for row in session.execute(query)]
        more = (rows[LONG_PAGE - 1][4], rows[LONG_PAGE - 1][0]) if len(rows) > LONG_PAGE else None
        return Page([row[:4] for row in rows[:LONG_PAGE]], more)

    def with_status(self, status: str) -> Sequence[Any]:
        with self._session() as session:
            return session.scalars(select(Order.id).where(Order.status == status).order_by(Order.placed)).all()

    def count(self, status: str) -> int:
        with self._session() as session:
            return session.scalar(select(func.count()).where(Order.status == status)) or 0
