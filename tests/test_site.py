"""The documentation as a site: it is built without a warning, found by its search, and fits a phone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import PATIENCE_S, needs_browser, run_chromium

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow

FOUND_FIRST = {
    "migration": "change-your-classes",
    "pagination": "finding",
    "unique": "finding",
    "FastAPI": "web",
    "Django": "web",
    "transaction": "transactions",
    "backup": "moving",
    "asyncio": "asyncio",
    "install": "install",
    "compatibility": "compatibility",
    "cluster": "redis-cluster",
}
"""The page that the search of the site shows first, by what is looked for."""

PHONE = 390, 844


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, and give its folder."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[str]:
    """Give the address of the site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(built))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with run_chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def test_the_site_is_built_without_a_warning(built: Path) -> None:
    assert (built / "index.html").exists()


def test_no_page_shows_a_mark_of_sphinx(built: Path) -> None:
    pages = {page.parent.name: page.read_text("utf-8") for page in built.rglob("index.html")}
    assert [name for name, html in pages.items() if re.search(r":[a-z]+:<code>|::</p>", html)] == []


@needs_browser
@pytest.mark.parametrize(("words", "page"), FOUND_FIRST.items())
def test_the_search_shows_the_right_page_first(chromium: webdriver.Chrome, site: str, words: str, page: str) -> None:
    chromium.get(f"{site}/?q={words}")
    found = WebDriverWait(chromium, PATIENCE_S).until(
        lambda browser: browser.find_elements(By.CSS_SELECTOR, ".md-search-result__item > a")
    )
    assert str(found[0].get_attribute("href")).startswith(f"{site}/{page}/")


@needs_browser
def test_every_page_fits_a_phone(chromium: webdriver.Chrome, site: str, built: Path) -> None:
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 1, "mobile": True},
    )
    for page in sorted(built.rglob("index.html")):
        chromium.get(f"{site}/{page.relative_to(built).parent}/")
        width = chromium.execute_script("return document.documentElement.scrollWidth")
        assert width <= PHONE[0], page.parent.name
        pictures = (
            "return [...document.images].filter(image => !image.naturalWidth || !image.alt).map(image => image.src)"
        )
        assert chromium.execute_script(pictures) == [], page.parent.name
