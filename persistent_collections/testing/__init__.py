"""What tests need: a pytest plugin, a store that fails to order, and the suites every backend and codec has to pass."""

import sys

from persistent_collections.testing.faults import FaultyBackend

__all__ = ["FaultyBackend"]

# pytest shows what an assertion compared only in modules it was told of before they are imported.
if "pytest" in sys.modules:
    sys.modules["pytest"].register_assert_rewrite(
        *(f"{__name__}.{module}" for module in ("backends", "codecs", "contention", "crashes"))
    )
