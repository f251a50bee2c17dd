"""Storing values as their classes declare them now: :func:`migrate`."""
