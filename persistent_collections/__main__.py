"""``python -m persistent_collections``, which is the command line."""

from persistent_collections.cli.entry import main

if __name__ == "__main__":
    main()
