from __future__ import annotations

from collections.abc import Iterator

import pytest

from persistent_collections import Backend, connect, get_codec, register_codec
from persistent_collections.codecs.bcrypt import BcryptCodec


@pytest.fixture(autouse=True)
def quick_passwords() -> Iterator[None]:
    usual = get_codec("bcrypt")
    register_codec(BcryptCodec(rounds=4), replace=True)
    yield
    register_codec(usual, replace=True)


@pytest.fixture
def memory() -> Backend:
    """Give an empty store of bytes."""
    return connect("memory:")


@pytest.fixture
def other() -> Backend:
    """Give another one."""
    return connect("memory:")
