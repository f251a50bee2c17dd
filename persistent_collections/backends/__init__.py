"""The stores: the interface, what it takes to be found by a URL, and one module or folder a store."""
