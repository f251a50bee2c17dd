"""The start of the installed script, which may find that typer and rich are not installed."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Run the command line, or name the missing packages."""
    try:
        commands = import_module("persistent_collections.cli.app")
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.stderr.write(
            f"persistent-collections: the command line needs the package {error.name}: "
            "pip install 'persistent-collections[cli]'\n"
        )
        sys.exit(2)
    commands.run()
