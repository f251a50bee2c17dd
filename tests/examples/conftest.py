from __future__ import annotations

from collections.abc import Iterator

import pytest

from friends_web.members import _nobodys_password
from persistent_collections import get_codec, register_codec
from persistent_collections.codecs.bcrypt import BcryptCodec


@pytest.fixture(autouse=True)
def quick_passwords() -> Iterator[None]:
    usual = get_codec("bcrypt")
    register_codec(BcryptCodec(rounds=4), replace=True)
    _nobodys_password.cache_clear()
    yield
    register_codec(usual, replace=True)
    _nobodys_password.cache_clear()
