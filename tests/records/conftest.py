from __future__ import annotations

from collections.abc import Iterator

import pytest

from persistent_collections import Backend, configure, get_codec, register_codec
from persistent_collections.codecs.bcrypt import BcryptCodec
from tests.records.accounts import Account
from tests.testing.indexed import IndexedMemory


@pytest.fixture(autouse=True)
def quick_passwords() -> Iterator[None]:
    usual = get_codec("bcrypt")
    register_codec(BcryptCodec(rounds=4), replace=True)
    yield
    register_codec(usual, replace=True)


@pytest.fixture
def luke(store: Backend) -> Account:
    return Account(email="luke@example.com", name="Luke Skywalker", password="TheForce")


@pytest.fixture
def han(store: Backend) -> Account:
    return Account(email="han@example.com", name="Han Solo", password="LetTheWookieWin")


@pytest.fixture(params=["entries", "chosen"])
def either_store(request: pytest.FixtureRequest, store_kind: str, backend: Backend) -> Iterator[Backend]:
    """Give a chosen store as the default, and once a plain one that keeps entries of indexes."""
    if request.param == "entries" and store_kind != "json":
        pytest.skip("once is enough")
    made = backend if request.param == "chosen" else IndexedMemory()
    configure({"backends": {"default": made}})
    yield made
    configure({})
