"""Tools for tests: a pytest plugin, a store that fails on request, and suites for backends and codecs."""

import sys
from typing import TYPE_CHECKING

from persistent_collections.lazy import lazily

if TYPE_CHECKING:
    from persistent_collections.testing.faults import FaultyBackend
else:
    __getattr__, __dir__ = lazily(__name__, {"faults": "FaultyBackend"})

__all__ = ["FaultyBackend"]

# pytest shows the compared values of an assertion only in modules that are registered before they are imported.
if "pytest" in sys.modules:
    sys.modules["pytest"].register_assert_rewrite(
        *(f"{__name__}.{module}" for module in ("backends", "codecs", "contention", "crashes"))
    )
