"""A store of readable JSON files, one per object."""

from persistent_collections.backends.json.backend import JSONBackend

__all__ = ["JSONBackend"]
