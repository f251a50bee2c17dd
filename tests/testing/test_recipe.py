"""The application whose tests docs/testing.md shows, tested as it says there."""

from __future__ import annotations

import re

import pytest

from tests.servers import RunningServer
from tests.test_docs import ROOT, files

pytest_plugins = ["pytester"]

FILES = files(ROOT / "docs" / "testing.md")
PASSED = 8


@pytest.fixture(autouse=True)
def application(pytester: pytest.Pytester) -> None:
    for name, text in FILES.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.mark.slow
def test_it_runs_on_fakeredis_with_no_server(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_subprocess("-W", "error")
    done.assert_outcomes(passed=PASSED)


@pytest.mark.parametrize("url", ["memory:", "json:./data?fsync=off"])
@pytest.mark.slow
def test_it_runs_on_every_store_by_its_url_alone(pytester: pytest.Pytester, url: str) -> None:
    pytester.runpytest_subprocess("-W", "error", "--persistent-backend", url).assert_outcomes(passed=PASSED)


@pytest.mark.slow
def test_it_runs_on_a_real_server_as_the_workflow_says(
    pytester: pytest.Pytester, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    [options] = re.findall("PYTEST_ADDOPTS: (.*)", FILES[".github/workflows/tests.yml"])
    url = "redis://localhost:6379/0"
    assert url in options
    monkeypatch.setenv("PYTEST_ADDOPTS", options.replace(url, server.url))
    with server.client() as client:
        before = client.info("commandstats")["cmdstat_hset"]["calls"] if client.hset("theirs", "a", "b") else 0
        pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=PASSED)
        assert client.keys() == [b"theirs"]
        assert client.info("commandstats")["cmdstat_hset"]["calls"] > before
