"""The loop of an operation that reads, computes and writes only if nothing changed meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Final

from persistent_collections import flows
from persistent_collections.errors import ConflictError

_LOG: Final = logging.getLogger(__name__)

RETRY_DEADLINE_S: Final = 10.0
"""How long an operation that reads, computes and writes if unchanged tries to win against other writers."""


def attempts(what: object) -> Iterator[None]:
    """Yield until the caller stops or the attempts are exhausted.

    Raises:
        ConflictError: Others won for ``RETRY_DEADLINE_S``.
    """
    deadline = time.monotonic() + RETRY_DEADLINE_S
    pause_s = 0.001
    while True:
        yield
        if time.monotonic() > deadline:
            _LOG.warning("%s kept changing for %g s; gave up", what, RETRY_DEADLINE_S)
            raise ConflictError(f"{what} kept changing for {RETRY_DEADLINE_S:g} s; nothing was written, try again")
        from random import uniform  # noqa: PLC0415 - it takes long, and few need it

        _LOG.debug("%s changed meanwhile; it is read again", what)
        flows.sleep(uniform(0, pause_s))  # noqa: S311 - jitter, not a secret
        pause_s = min(pause_s * 2, 0.1)
