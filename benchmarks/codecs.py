"""Time the codecs beside the libraries they stand on: ``python benchmarks/codecs.py``.

The two are timed in turn, many short runs each, and the fastest run of each counts; a ratio above 1 is what the codec
adds. Values a codec has to tag have no plain counterpart, and are given in microseconds alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from timeit import Timer
from typing import Any

import msgpack  # type: ignore[import-untyped] # it ships no types

from persistent_collections.codecs.registry import get_codec

ROUNDS = 15
RUN_S = 0.01

ROW = {"name": "Luke Skywalker", "age": 23, "score": 1.5, "active": True, "email": "luke@example.com"}
PLAIN: dict[str, Any] = {
    "int": 42,
    "str": "hello",
    "float": 1.5,
    "dict of 5": ROW,
    "1,000 int": list(range(1000)),
    "1,000 str": [f"item {number}" for number in range(1000)],
    "1,000 mixed": [(n, n * 1.5, f"x{n}", None, True)[n % 5] for n in range(1000)],
    "200 dicts": [dict(ROW) for _ in range(200)],
}
TAGGED: dict[str, Any] = {
    "datetime": datetime(2024, 1, 1, tzinfo=UTC),
    "tuple": (1, "a"),
    "dict of 5, one a datetime": ROW | {"age": datetime(2024, 1, 1, tzinfo=UTC)},
    "200 dicts of int keys": [dict.fromkeys(range(5), "x") for _ in range(200)],
}


def fastest_us(*functions: Callable[[], object]) -> list[float]:
    """Return the fastest run of each function, run in turn."""
    timers = [Timer(function) for function in functions]
    loops = max(1, int(RUN_S / max(timers[0].timeit(3) / 3, 1e-7)))
    runs = [[timer.timeit(loops) / loops for timer in timers] for _ in range(ROUNDS)]
    return [min(column) * 1e6 for column in zip(*runs, strict=True)]


def main() -> None:
    """Print a line for each codec, value and direction."""
    libraries: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
        "json": (lambda value: json.dumps(value).encode(), json.loads),
        "msgpack": (msgpack.packb, msgpack.unpackb),
    }
    for name, (write, read) in libraries.items():
        codec = get_codec(name)
        for title, value in PLAIN.items():
            data = codec.encode(value)
            there = fastest_us(lambda value=value: write(value), lambda value=value: codec.encode(value))
            back = fastest_us(lambda data=data: read(data), lambda data=data: codec.decode(data))
            for direction, (library, ours) in {"encode": there, "decode": back}.items():
                print(f"{name:8}{title:14}{direction}{library:9.2f} µs{ours:9.2f} µs  x{ours / library:.2f}")
        for title, value in TAGGED.items():
            data = codec.encode(value)
            [there_us] = fastest_us(lambda value=value: codec.encode(value))
            [back_us] = fastest_us(lambda data=data: codec.decode(data))
            print(f"{name:8}{title:28}encode{there_us:9.2f} µs  decode{back_us:9.2f} µs")


if __name__ == "__main__":
    main()
