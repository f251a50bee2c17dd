"""The extra ``hiredis``: the client reads replies with it."""

from redis.utils import HIREDIS_AVAILABLE

assert HIREDIS_AVAILABLE
