"""Stores on a server that speaks the Redis protocol: Redis from 6.2 on, Valkey."""

from persistent_collections.errors import ConfigurationError

try:
    from persistent_collections.backends.redis.backend import RedisBackend
except ImportError as error:
    raise ConfigurationError("this store needs redis-py 8.0: pip install 'persistent-collections[redis]'") from error

__all__ = ["RedisBackend"]
