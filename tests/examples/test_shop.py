"""The shop, through its pages, on a plain store and on the code path of Redis."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from persistent_collections import Backend, connect, use_backend
from shop.__main__ import fill
from shop.models import Customer, Order, Product, ShopSession, Status, _nobodys_password, pay
from shop.pages import PAGE, app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the client that Starlette would rather have
    from fastapi.testclient import TestClient

LUKE = {"name": "Luke", "email": "Luke@example.com", "password": "TheForce1"}


@pytest.fixture(params=["memory:", "fakeredis://"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Give an empty store, as the default of all threads."""
    _nobodys_password.cache_clear()
    with connect(request.param) as store, use_backend(store):
        yield store


@pytest.fixture
def visitor(backend: Backend) -> TestClient:
    fill()
    return TestClient(app)


@pytest.fixture
def luke(visitor: TestClient) -> TestClient:
    """Give a customer's browser."""
    visitor.post("/sign-up", data=LUKE)
    return visitor


def product(name: str) -> Product:
    return Product.find(name=name).one()


def order_of(browser: TestClient, *names: str) -> Order:
    for name in names:
        browser.post("/basket", data={"product": product(name).id})
    return Order.load(browser.post("/orders").url.path.rpartition("/")[2])


def error_in(answer: object) -> list[str]:
    return re.findall(r'class="error"[^>]*>([^<]*)<', getattr(answer, "text", ""))


def test_everybody_sees_the_products_by_name(visitor: TestClient) -> None:
    page = visitor.get("/").text
    assert re.findall(r'class="name">(\w+)<', page) == ["Lamp", "Stool", "Teapot"]
    assert visitor.get("/basket").url.path == "/log-in"


def test_filling_the_shop_again_changes_nothing(visitor: TestClient) -> None:
    fill()
    assert (Product.count(), Customer.count()) == (3, 1)


def test_a_customer_orders_and_pays(luke: TestClient) -> None:
    order = order_of(luke, "Lamp", "Stool", "Stool")
    assert error_in(luke.post(f"/orders/{order.id}/pay")) == ["Your balance is too low."]
    luke.post("/account/top-up", data={"amount": "200"})
    assert "paid" in luke.post(f"/orders/{order.id}/pay").text
    assert error_in(luke.post(f"/orders/{order.id}/pay")) == ["This order is paid already."]
    assert (product("Lamp").stock, product("Stool").stock) == (11, 1)
    customer = Customer.find(email="luke@example.com").one()
    assert customer.balance == Decimal("77.10")
    assert len(customer.basket) == 0
    assert [line.quantity for line in order.lines] == [1, 2]


def test_an_order_beyond_the_stock_is_not_paid(luke: TestClient) -> None:
    order = order_of(luke, *["Stool"] * 4)
    luke.post("/account/top-up", data={"amount": "1000"})
    assert error_in(luke.post(f"/orders/{order.id}/pay")) == ["Stool is out of stock."]
    assert product("Stool").stock == 3


def test_an_order_is_cancelled_only_while_it_is_open(luke: TestClient) -> None:
    order = order_of(luke, "Lamp")
    assert "cancelled" in luke.post(f"/orders/{order.id}/cancel").text
    assert error_in(luke.post(f"/orders/{order.id}/cancel")) == ["This order is cancelled already."]
    assert error_in(luke.post(f"/orders/{order.id}/pay")) == ["This order is cancelled already."]


def test_an_empty_basket_makes_no_order(luke: TestClient) -> None:
    assert luke.post("/orders").url.path == "/basket"
    order_of(luke, "Lamp")
    assert luke.post("/orders").url.path == "/basket"
    assert Order.count() == 1


def test_what_is_in_the_basket_can_be_removed(luke: TestClient) -> None:
    lamp = product("Lamp")
    luke.post("/basket", data={"product": lamp.id})
    assert "Lamp" in luke.get("/basket").text
    luke.post("/basket/remove", data={"product": lamp.id})
    assert "empty" in luke.get("/basket").text
    assert luke.post("/basket", data={"product": "unknown"}).status_code == 404


def test_the_last_piece_is_sold_once(luke: TestClient, backend: Backend) -> None:
    order_ids = [order_of(luke, "Stool").id for _ in range(5)]
    Customer.find(email="luke@example.com").one().balance = Decimal(1000)
    reasons: list[str | None] = []

    def buy(id: str) -> None:
        with use_backend(backend):
            reasons.append(pay(Order.load(id)))

    threads = [threading.Thread(target=buy, args=(order_id,)) for order_id in order_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reasons, key=str) == [None, None, None, *["Stool is out of stock."] * 2]
    assert product("Stool").stock == 0
    assert Customer.find(email="luke@example.com").one().balance == Decimal(1000) - 3 * product("Stool").price


def test_orders_come_in_pages_the_newest_first(luke: TestClient) -> None:
    orders = [order_of(luke, "Lamp").id for _ in range(PAGE + 3)]
    first = luke.get("/account")
    second = luke.get(re.findall(r'href="(/account\?after=[^"]+)"', first.text)[0])
    assert luke.get("/account", params={"after": "damaged"}).status_code == 404
    shown = [re.findall(r'href="/orders/([^"]+)"', page.text) for page in (first, second)]
    assert shown == [orders[:2:-1], orders[2::-1]]
    assert "Older orders" not in second.text


def test_an_address_is_unique_and_can_be_changed(luke: TestClient) -> None:
    taken = luke.post("/account/email", data={"email": "Admin@example.com"})
    assert (taken.status_code, error_in(taken)) == (422, ["This address has signed up already."])
    luke.post("/account/email", data={"email": "skywalker@example.com"})
    luke.post("/log-out")
    assert luke.post("/log-in", data={**LUKE, "email": "luke@example.com"}).status_code == 422
    assert luke.post("/log-in", data={**LUKE, "email": "skywalker@example.com"}).url.path == "/"
    again = TestClient(app).post("/sign-up", data=LUKE)  # the old address is free
    assert again.url.path == "/"


def test_two_customers_cannot_have_one_address(luke: TestClient) -> None:
    answer = TestClient(app).post("/sign-up", data=LUKE)
    assert error_in(answer) == ["This address has signed up already."]
    assert Customer.count() == 2


def test_an_order_is_not_for_other_eyes(luke: TestClient) -> None:
    order = order_of(luke, "Lamp")
    other = TestClient(app)
    other.post("/sign-up", data={**LUKE, "email": "han@example.com"})
    assert other.get(f"/orders/{order.id}").status_code == 404
    assert other.get(f"/api/orders/{order.id}").status_code == 404
    assert other.get("/admin").status_code == 404


def test_an_order_as_json_shows_no_secret_and_follows_no_reference(luke: TestClient) -> None:
    order = order_of(luke, "Lamp")
    shown = luke.get(f"/api/orders/{order.id}").json()
    assert shown["customer"] == order.customer.id
    assert shown.keys() == {"id", "customer", "total", "placed", "status"}


def test_a_session_ends_by_log_out_and_has_a_deadline(luke: TestClient) -> None:
    [session] = ShopSession.all()
    assert timedelta(days=6) < (session.ttl() or timedelta(0)) <= timedelta(days=7)
    luke.post("/log-out")
    assert ShopSession.count() == 0
    assert luke.get("/account").url.path == "/log-in"


def test_an_admin_keeps_the_products(visitor: TestClient) -> None:
    visitor.post("/log-in", data={"email": "admin@example.com", "password": "change-me"})
    wrong = visitor.post("/admin/products", data={"name": "Cup", "price": "3.50", "stock": "many"})
    assert (wrong.status_code, len(error_in(wrong))) == (422, 1)
    visitor.post("/admin/products", data={"name": "Cup", "price": "3.50", "stock": "7"})
    cup = product("Cup")
    assert (cup.price, cup.stock) == (Decimal("3.50"), 7)
    visitor.post("/admin/products", data={"id": cup.id, "stock": "9"})
    assert (cup.price, cup.stock) == (Decimal("3.50"), 9)
    assert "0 open, 0 paid, 0 cancelled" in visitor.get("/admin").text


def test_a_form_of_another_site_is_refused(luke: TestClient) -> None:
    assert luke.post("/log-out", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert luke.post("/log-out", headers={"Origin": "https://evil.example"}).status_code == 403
    assert ShopSession.count() == 1


def test_statuses_are_words() -> None:
    assert [status.value for status in Status] == ["open", "paid", "cancelled"]
