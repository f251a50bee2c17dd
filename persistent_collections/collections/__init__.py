"""The dicts, lists and sets that live in a store."""
