"""``python -m persistent_collections.cli``."""

from persistent_collections.cli.entry import main

main()
