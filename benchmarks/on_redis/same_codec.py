"""redis-py itself again, its values written and read by this library's codec instead of the standard library's."""

from __future__ import annotations

from benchmarks.on_redis import bare
from persistent_collections import get_codec


class Contender(bare.Contender):
    """As ``bare``."""

    encode = staticmethod(get_codec("json").encode)
    decode = staticmethod(get_codec("json").decode)
