"""Find the faults in a store, and repair them on request: :func:`check`."""

from persistent_collections.checking.checking import check
from persistent_collections.checking.findings import Deletable, Finding, Kind, Repairable

__all__ = ["Deletable", "Finding", "Kind", "Repairable", "check"]
