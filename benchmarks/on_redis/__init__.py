"""Collections on a Redis-protocol server: this library, its peers and bare redis-py."""
