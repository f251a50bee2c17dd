"""The extras ``redis`` and ``hiredis``: a server keeps the data."""

import os

from persistent_collections import PersistentDict, connect, transaction

with connect(os.environ["TRIAL_SERVER"]) as store:
    stock = PersistentDict[str, int]("stock", {"bolts": 3}, backend=store)
    with transaction():
        stock["bolts"] -= 1
    assert stock.copy() == {"bolts": 2}
    stock.delete()
