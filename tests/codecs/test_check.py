"""What a codec can keep is asked without a store."""

from __future__ import annotations

from typing import Any

import pytest

from persistent_collections import get_codec
from persistent_collections.codecs.keys.codec import check_keys
from tests.codecs.people import Person, Thing


class Unknown:
    pass


@pytest.mark.parametrize(("name", "declared"), [("json", list[int]), ("json", Person), ("reference", Person | None)])
def test_a_type_that_is_kept_passes(name: str, declared: Any) -> None:
    get_codec(name).check(declared, Thing)


@pytest.mark.parametrize(
    ("name", "declared"), [("json", Unknown), ("str", int), ("reference", int), ("msgpack", Unknown)]
)
def test_a_type_that_is_not_kept_is_a_type_error(name: str, declared: Any) -> None:
    with pytest.raises(TypeError):
        get_codec(name).check(declared, Thing)


def test_a_default_has_to_be_held_too() -> None:
    get_codec("json").check(int, Thing, [1])
    with pytest.raises(TypeError, match="expected int, not str"):
        get_codec("json").check(int, Thing, ["1"])


def test_keys_are_asked_about_in_the_same_way() -> None:
    for declared in (str, int, tuple[int, str], Person):
        check_keys(declared, Thing)
    for refused in (list[int], Unknown):
        with pytest.raises(TypeError):
            check_keys(refused, Thing)
