"""Values the codecs hold, made at random."""

from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

ZONES = st.none() | st.sampled_from(
    [timezone.utc, timezone(timedelta(hours=-3, minutes=30)), ZoneInfo("Europe/Paris"), ZoneInfo("UTC")]  # noqa: UP017 - beside the other timezone
)
TEXTS = st.text(max_size=8) | st.sampled_from(["$", "$tag", "$$tag", "$dict", '"$', "\\", "\0", "\u2028", "1"])
INTEGERS = st.integers(-3, 3) | st.integers() | st.sampled_from([2**53 + 1, 2**63, -(2**63) - 1, 2**64])
LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    st.floats(),
    TEXTS,
    st.binary(max_size=8),
    st.complex_numbers(),
    st.decimals(),
    st.uuids(),
    st.datetimes(timezones=ZONES),
    st.dates(),
    st.times(timezones=ZONES),
    st.timedeltas(),
    st.sampled_from([PurePosixPath("a/b"), PureWindowsPath("c:/d")]),
)


def is_number(value: Any) -> bool:
    """Say whether a value is anything but a nan, of which there are signalling ones that cannot be compared."""
    return not value.is_nan() if isinstance(value, Decimal) else bool(value == value)  # noqa: PLR0124


KEYS: st.SearchStrategy[Any] = st.recursive(
    LEAVES.filter(is_number),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(TEXTS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=3),
        st.sets(KEYS, max_size=3),
        st.frozensets(KEYS, max_size=3),
    )


VALUES: st.SearchStrategy[Any] = st.recursive(LEAVES, containers, max_leaves=12)
