"""A shop: customers, products, orders with lines, in whatever store PERSISTENT_COLLECTIONS_URL names."""

from shop.pages import app

__all__ = ["app"]
