"""The protocol for indexes on a cluster holds in every state that a search reaches, and weaker ones are caught."""

from __future__ import annotations

import pytest

from tests.backends.claim_model import SCENARIOS, VARIANTS, Variant, explore, search

TAKE_OVER = SCENARIOS[0]
OLDER = [variant for variant in VARIANTS[:8] if not variant.holds]


@pytest.mark.slow
def test_the_protocol_holds_as_far_as_a_second_of_search_goes() -> None:
    states, fault, *_ = explore(VARIANTS[-1], TAKE_OVER, 99, 1)
    assert states > 100
    assert fault is None


def test_without_the_fence_two_records_get_one_value() -> None:
    [variant] = [variant for variant in VARIANTS if variant.name == "recommended, but without the fence"]
    _, fault, schedule, _ = explore(variant, TAKE_OVER, 99, 30, "U")
    assert fault == "U"
    assert schedule


@pytest.mark.slow
@pytest.mark.parametrize("variant", OLDER, ids=lambda variant: variant.name)
def test_older_protocols_are_caught(variant: Variant) -> None:
    _, fault, _ = search(variant, "UFLN", (0.3, 2.5))
    assert fault is not None
