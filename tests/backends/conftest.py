from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.certificates import Authority
from tests.servers import binaries, with_tls

OTHERS = [
    pytest.param(binary, marks=[pytest.mark.store("server"), pytest.mark.slow], id=Path(binary).name)
    for binary in binaries()[1:]
]
"""The versions of the server that are at hand beside the one that all tests run on."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user reaches."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture(scope="session")
def tls_server() -> str:
    """Give a server built with TLS, which no wheel brings."""
    found = with_tls()
    if found is None:
        pytest.skip("no server with TLS: install redis-server, as .ci/run does where it can")
    return found


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")
