"""A plugin by which ``--stores shelf`` runs tests on a store that knows only the five methods of a simple one."""

from __future__ import annotations

from persistent_collections import register_backend
from tests.conftest import STORES

register_backend("shelf", "tests.testing.shelves:Shelf")
STORES["shelf"] = lambda folder, _: f"shelf:{folder}/shelf"
