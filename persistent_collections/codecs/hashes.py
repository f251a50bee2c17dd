"""The form of a stored password, for code that must recognize one without the package that makes it."""

from __future__ import annotations

from typing import Final

PREHASH: Final = "bcrypt_sha256$"
"""The prefix of the hash of a password's SHA-256, as Django writes it."""

HASH_START: Final = r"(bcrypt_sha256\$)?\$(2[abxy])\$"
"""The pattern of how a stored password begins: its groups are :data:`PREHASH` and the version of bcrypt."""

HASH_FORM: Final = HASH_START + r"(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}"
"""The pattern of a stored password: the third group is the cost."""

MAX_BYTES: Final = 72
"""The longest password that bcrypt accepts."""
