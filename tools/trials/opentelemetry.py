"""The extra ``opentelemetry``: operations are spans."""

from persistent_collections import PersistentDict, connect

with connect("memory:?spans=on") as store:
    assert PersistentDict("settings", {"theme": "dark"}, backend=store)["theme"] == "dark"
