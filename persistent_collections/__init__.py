"""Dicts, lists and records that look like Python's own and live in a store."""
