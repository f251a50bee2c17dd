"""``python -m persistent_collections.cli``."""

from persistent_collections.cli.entry import main

if __name__ == "__main__":
    main()
