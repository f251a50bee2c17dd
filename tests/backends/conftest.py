from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user reaches."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)
