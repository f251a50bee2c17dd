"""Members of a web site befriend one another, in whatever store PERSISTENT_COLLECTIONS_URL names."""

from friends_web.pages import app

__all__ = ["app"]
