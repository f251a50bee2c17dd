from tests.moving.conftest import memory, quick_passwords

__all__ = ["memory", "quick_passwords"]
