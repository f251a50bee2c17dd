"""The command line ``persistent-collections``; its documentation is docs/commands.md."""

from persistent_collections.cli.entry import main

__all__ = ["main"]
