"""The extra ``fakeredis``: a server in the process, which runs the Lua scripts of the package."""

from persistent_collections import PersistentList, connect

with connect("fakeredis://") as store:
    numbers = PersistentList("numbers", [3, 1, 2], backend=store)
    numbers[1:2] = [4, 5]
    assert numbers.copy() == [3, 4, 5, 2]
