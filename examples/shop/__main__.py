"""Fill an empty shop, and serve it: ``python -m shop``."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import uvicorn

from persistent_collections import NotUnique
from shop import app
from shop.models import Product, sign_up


def fill() -> None:
    """Store some products and an admin, unless there are any."""
    if not Product.find().first():
        for name, price, stock in (("Lamp", "24.90", 12), ("Stool", "49.00", 3), ("Teapot", "17.50", 40)):
            Product.create(name=name, price=Decimal(price), stock=stock)
    with suppress(NotUnique):
        sign_up("Admin", "admin@example.com", "change-me").is_admin = True


if __name__ == "__main__":
    fill()
    uvicorn.run(app, host="127.0.0.1", port=8000)
