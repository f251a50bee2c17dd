"""What each worker needs, loaded once in the process that all workers are forks of."""
# ruff: noqa: F401

from __future__ import annotations

import pytest

import persistent_collections.backends.json
import persistent_collections.backends.redis
import persistent_collections.backends.sqlite
import tests.transactions.bank
import tests.transactions.workload
