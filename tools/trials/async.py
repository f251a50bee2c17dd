"""The extra ``async``: ordinary functions run beside an event loop."""

import anyio

from persistent_collections import PersistentDict
from persistent_collections.aio import run

settings = PersistentDict("settings", backend="memory:")
anyio.run(run, settings.update, {"theme": "dark"})
assert settings["theme"] == "dark"
