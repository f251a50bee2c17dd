"""The plainest operations pass through few of our own functions."""

from __future__ import annotations

from threading import get_ident

import pytest

from benchmarks.own_calls import counts
from persistent_collections import Backend, flows

LIMITS = {
    "memory": (8, 18, 11, 20, 28),
    "json": (40, 82, 43, 86, 119),
    "sqlite": (30, 41, 33, 43, 63),
    "server": (27, 31, 30, 35, 45),
}
"""Of reading and setting an entry, reading and setting a field, and appending a reference.

Fewer than in version 0.1.
"""


@pytest.mark.parametrize("store_kind", LIMITS)
def test_an_operation_passes_through_few_functions(
    store_kind: str, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "bridging", False)  # these are so unless a program asks for the bridge
    monkeypatch.setattr(flows, "who", get_ident)
    limits = LIMITS[store_kind]
    found = counts(backend)
    assert list(found) == ["d[k]", "d[k] = v", "r.f", "r.f = v", "r.l.append(ref)"]
    assert [n for n, limit in zip(found.values(), limits, strict=True) if n > limit] == [], found
