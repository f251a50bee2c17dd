"""Stores that pass every operation on to another, and do something around each."""
