"""The web applications in a real browser."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.serving import make_server

from friends_web import app
from persistent_collections import Backend
from shop import app as shop_app
from shop.__main__ import fill
from tests.browser import PATIENCE_S, needs_browser, run_chromium

pytestmark = [
    pytest.mark.slow,
    needs_browser,
]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Give a browser with a profile of its own."""
    with run_chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def site(store: Backend) -> Iterator[str]:
    """Give the address of the application, served in this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def shop(store: Backend) -> Iterator[str]:
    """Give the address of the shop, served in this process."""
    fill()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # before the server does, so that a browser that is faster waits
        server = uvicorn.Server(uvicorn.Config(shop_app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


class Visitor:
    """Somebody at the browser, who looks at every page and keeps a picture of it."""

    def __init__(self, browser: webdriver.Chrome, album: Path) -> None:
        self.browser, self.album = browser, album

    def heading(self) -> str:
        return self.browser.find_element(By.TAG_NAME, "h1").text

    def errors(self) -> list[str]:
        return [error.text for error in self.browser.find_elements(By.CLASS_NAME, "error")]

    def friends(self) -> list[str]:
        return [friend.text for friend in self.browser.find_elements(By.CSS_SELECTOR, ".friends li")]

    def value(self, label: str) -> str:
        return str(self._field(label).get_property("value"))

    def focused(self) -> str | None:
        return self.browser.switch_to.active_element.get_attribute("name")

    def fill(self, **typed: str) -> None:
        for label, text in typed.items():
            field = self._field(label)
            field.clear()
            field.send_keys(text)

    def press(self, button: str) -> None:
        self._leave(By.XPATH, f"//button[normalize-space()='{button}']")

    def follow(self, link: str) -> None:
        self._leave(By.LINK_TEXT, link)

    def picture(self, name: str, width: int = 800) -> None:
        self.browser.set_window_size(width, 800)
        self.browser.save_screenshot(str(self.album / f"{name}.png"))

    def _field(self, label: str) -> WebElement:
        labelled = self.browser.find_element(By.XPATH, f"//label[starts-with(normalize-space(), '{label}')]")
        return self.browser.find_element(By.ID, str(labelled.get_attribute("for")))

    def _leave(self, by: str, what: str) -> None:
        """Click on what leads to another page, and wait for that."""
        page = self.browser.find_element(By.TAG_NAME, "html")
        self.browser.find_element(by, what).click()
        # In the midst of the change the driver may say of the old page that its node belongs to no document.
        WebDriverWait(self.browser, PATIENCE_S, ignored_exceptions=[WebDriverException]).until(staleness_of(page))


@pytest.mark.parametrize("store_kind", ["json", "server"])
def test_two_visitors_become_friends(chromium: webdriver.Chrome, site: str, tmp_path: Path) -> None:
    visitor = Visitor(chromium, tmp_path)
    chromium.delete_all_cookies()
    chromium.get(site)
    assert visitor.heading() == "Log in"
    visitor.picture("1-log-in")

    visitor.follow("Sign up")
    visitor.fill(**{"Name": "Han Solo", "E-mail": "han@example.com", "Password": "LetTheWookieWin"})
    visitor.press("Sign up")
    assert visitor.heading() == "Friends of Han Solo"
    visitor.picture("2-no-friends")
    visitor.press("Log out")

    visitor.follow("Sign up")
    visitor.fill(**{"Name": "Luke Skywalker", "E-mail": "han@example.com", "Password": "TheForce"})
    visitor.press("Sign up")
    assert visitor.errors() == ["This address has signed up already."]
    assert visitor.focused() == "email"
    assert (visitor.value("Name"), visitor.value("E-mail")) == ("Luke Skywalker", "han@example.com")
    assert visitor.value("Password") == ""
    visitor.picture("3-sign-up-error")
    visitor.fill(**{"E-mail": "luke@example.com", "Password": "TheForce"})
    visitor.press("Sign up")
    visitor.press("Log out")

    visitor.fill(**{"E-mail": "luke@example.com", "Password": "TheDarkSide"})
    visitor.press("Log in")
    assert visitor.errors() == ["The address or the password is wrong."]
    visitor.picture("4-log-in-error", width=400)
    visitor.fill(Password="TheForce")
    visitor.press("Log in")

    visitor.fill(Their="leia@example.com")
    visitor.press("Befriend")
    assert visitor.errors() == ["Nobody has signed up with this address."]
    visitor.picture("5-befriend-error", width=400)
    visitor.fill(Their="han@example.com")
    visitor.press("Befriend")
    assert visitor.friends() == ["Han Solo\nhan@example.com"]
    visitor.picture("6-friends")
    visitor.picture("6-friends-phone", width=400)
    assert not chromium.execute_script("return document.documentElement.scrollWidth > innerWidth")

    visitor.press("Log out")
    assert visitor.heading() == "Log in"
    assert not chromium.get_cookie("session")
    chromium.get(site)
    assert visitor.heading() == "Log in"
    complaints = chromium.get_log("browser")  # type: ignore[no-untyped-call]  # selenium's only method without types
    assert [complaint for complaint in complaints if "status of 422" not in complaint["message"]] == []


@pytest.mark.parametrize("store_kind", ["memory"])
def test_a_form_on_another_site_logs_nobody_out(chromium: webdriver.Chrome, site: str, tmp_path: Path) -> None:
    visitor = Visitor(chromium, tmp_path)
    chromium.delete_all_cookies()
    chromium.get(f"{site}/sign-up")
    visitor.fill(**{"Name": "Han Solo", "E-mail": "han@example.com", "Password": "LetTheWookieWin"})
    visitor.press("Sign up")
    chromium.get(f"data:text/html,<form method=post action='{site}/log-out'><button>A prize!</button></form>")
    visitor.press("A prize!")
    assert visitor.heading() == "Forbidden"
    chromium.get(site)
    assert visitor.heading() == "Friends of Han Solo"


@pytest.mark.parametrize("store_kind", ["json", "server"])
def test_a_customer_buys_something(chromium: webdriver.Chrome, shop: str, tmp_path: Path) -> None:
    visitor = Visitor(chromium, tmp_path)
    chromium.delete_all_cookies()
    chromium.get_log("browser")  # type: ignore[no-untyped-call]  # what an earlier test left there
    chromium.get(shop)
    assert visitor.heading() == "Products"
    visitor.picture("shop-1-products")
    visitor.follow("Sign up")
    visitor.fill(**{"Name": "Luke", "E-mail": "admin@example.com", "Password": "TheForce1"})
    visitor.press("Sign up")
    assert visitor.errors() == ["This address has signed up already."]
    visitor.picture("shop-2-sign-up-error")
    visitor.fill(**{"E-mail": "luke@example.com", "Password": "TheForce1"})
    visitor.press("Sign up")

    visitor.press("Add")
    visitor.picture("shop-3-basket", width=400)
    assert visitor.heading() == "Basket"
    visitor.press("Order")
    visitor.press("Pay")
    assert visitor.errors() == ["Your balance is too low."]
    visitor.picture("shop-4-order-error", width=400)
    visitor.follow("Account")
    visitor.press("Add")
    visitor.picture("shop-5-account")
    chromium.find_element(By.CSS_SELECTOR, ".rows a").click()
    visitor.press("Pay")
    assert "paid" in chromium.find_element(By.CLASS_NAME, "status").text
    visitor.picture("shop-6-paid", width=400)
    assert not chromium.execute_script("return document.documentElement.scrollWidth > innerWidth")

    visitor.press("Log out")
    visitor.fill(**{"E-mail": "admin@example.com", "Password": "change-me"})
    visitor.press("Log in")
    visitor.follow("Admin")
    visitor.fill(Name="Cup", Price="three", Stock="7")
    visitor.press("Save")
    assert len(visitor.errors()) == 1
    visitor.picture("shop-7-admin-error")
    visitor.fill(Price="3.50")
    visitor.press("Save")
    assert visitor.errors() == []
    visitor.picture("shop-8-admin", width=400)
    complaints = chromium.get_log("browser")  # type: ignore[no-untyped-call]  # as above
    assert [complaint for complaint in complaints if "status of 422" not in complaint["message"]] == []
