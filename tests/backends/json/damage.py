"""What a disk, a copy or an editor may do to a file."""

from __future__ import annotations

from collections.abc import Iterator


def damaged(data: bytes) -> Iterator[bytes]:
    """Yield ``data`` with a byte removed or a bit flipped, each in turn, and cut off after each byte."""
    for at, byte in enumerate(data):
        yield data[:at]
        yield data[:at] + data[at + 1 :]
        for bit in range(8):
            yield data[:at] + bytes([byte ^ (1 << bit)]) + data[at + 1 :]
