"""Finding what is wrong in a store, and repairing what one is asked to: :func:`check`."""

from persistent_collections.checking.checking import check
from persistent_collections.checking.findings import Finding, Kind, Repairable

__all__ = ["Finding", "Kind", "Repairable", "check"]
