"""A process that may open no more files is told so, loses nothing and goes on once it may."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

WRITE_WITHOUT_FILES: Final = """
import os, resource, sys
from contextlib import suppress
from persistent_collections import BackendError, PersistentDict, connect

url, left = sys.argv[1], int(sys.argv[2])
with connect(url) as backend:
    PersistentDict("words", {"a": 1}, backend=backend)
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (50, most))
with connect(url) as backend:
    words, held = PersistentDict("words", backend=backend), []
    with suppress(OSError):
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    for _ in range(left):
        os.close(held.pop())
    try:
        words["b"] = 2
    except BackendError as error:
        print(error)
    while held:
        os.close(held.pop())
    words["c"] = 3
    print(sorted(words.copy()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("store_kind", ["json", "sqlite", "server", "cluster"])
@pytest.mark.parametrize("left", range(4))
def test_a_write_without_a_free_descriptor_is_refused_with_what_to_do(url: str, left: int) -> None:
    command = [sys.executable, "-c", WRITE_WITHOUT_FILES, url, str(left)]
    *reports, words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    if words != "['a', 'b', 'c']":
        assert words == "['a', 'c']"
        assert len(reports) == 1
        assert "ulimit -n" in reports[0]
    assert left or reports
